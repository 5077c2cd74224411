//! `logs`: the output of all replicas of a service, wherever they run.

use std::io::IsTerminal as _;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Run;
use super::plan::choice;
use crate::cli::args::{Inputs, LogsArgs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::{Exit, Failure, Screen};
use crate::diag::printable;
use crate::model::{LiveContainer, Observed};
use crate::pipeline::Wish;
use crate::planner::Selector;
use crate::ports::{Engine, LogOptions, PortError};

/// Colours that tell replicas apart: cyan, yellow, green, magenta, blue and their bright ones.
const COLORS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

pub(super) fn run(run: &Run<'_>, args: &LogsArgs) -> Result<Exit, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let selectors = selectors(&args.of)?;
    let fleet = session.fleet()?;
    let observed = block_on(fleet.look(&Wish::nothing(&session.owner)))?;
    let found = chosen(&observed, &selectors);
    if found.is_empty() {
        return Err(Failure::new(format!(
            "could not show logs: nothing runs of {}",
            args.of.join(", ")
        ))
        .hint(run.cli.global.next_command("status")));
    }
    let options = LogOptions {
        tail: args.tail,
        since: since(args, fleet.ports.clock.now())?,
        follow: args.follow,
        timestamps: args.timestamps,
    };
    let width = found.iter().map(|(_, container)| label(container).len()).max().unwrap_or(0);
    let has_color = run.screen.color() && std::io::stdout().is_terminal();
    let streams = found.iter().enumerate().filter_map(|(index, (host, container))| {
        let engine = Arc::clone(fleet.ports.engines.get(*host)?);
        let color = has_color.then(|| COLORS[index % COLORS.len()]);
        let prefix = prefix(&label(container), width, color);
        Some(stream(engine, container.name.clone(), &options, prefix))
    });
    let ends = block_on(join_all(streams))?;
    let failed: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
    match failed.is_empty() {
        true => Ok(Exit::Done),
        false => Err(Failure::new(format!("could not show all logs: {}", failed.join("; ")))),
    }
}

fn selectors(texts: &[String]) -> Result<Vec<Selector>, Failure> {
    let parse = |text: &String| {
        text.parse().map_err(|why| Failure::new(format!("could not use `{text}`: {why}")))
    };
    texts.iter().map(parse).collect()
}

fn chosen<'a>(
    observed: &'a Observed,
    selectors: &[Selector],
) -> Vec<(&'a crate::model::HostName, &'a LiveContainer)> {
    let hosts = observed.hosts.iter().filter_map(|(name, host)| Some((name, host.as_ref().ok()?)));
    let all = hosts.flat_map(|(name, host)| host.containers.values().map(move |it| (name, it)));
    let is_chosen = |container: &LiveContainer| {
        let identity = &container.identity;
        selectors.iter().any(|it| it.covers(&identity.stack, &identity.service, identity.slot))
    };
    all.filter(|(_, container)| is_chosen(container)).collect()
}

fn since(args: &LogsArgs, now: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = &args.since else { return Ok(None) };
    let ago = crate::settings::parse_duration(text)
        .map_err(|why| Failure::new(format!("could not use `--since {text}`: {why}")))?;
    Ok(Some(now.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX))))
}

fn label(container: &LiveContainer) -> String {
    let identity = &container.identity;
    format!("{}/{}.{}", identity.stack, identity.service, identity.slot)
}

fn prefix(label: &str, width: usize, color: Option<u8>) -> String {
    match color {
        Some(color) => format!("\u{1b}[{color}m{label:width$} |\u{1b}[0m "),
        None => format!("{label:width$} | "),
    }
}

async fn stream(
    engine: Arc<dyn Engine>,
    name: String,
    options: &LogOptions,
    prefix: String,
) -> Result<(), String> {
    // A reader that went away ends it, as `head` does.
    let mut print = |line: crate::ports::LogLine| {
        // What a program writes may hold anything, but a tab does no harm.
        let text = printable(&line.text).replace("\\u{9}", "\t");
        Screen::write(&format!("{prefix}{text}\n")).is_ok()
    };
    match engine.logs(&name, options, &mut print).await {
        Ok(()) | Err(PortError::NotFound(_)) => Ok(()),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
