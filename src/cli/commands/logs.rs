//! `logs`: the output of all replicas of a service, wherever they run, as one.
//!
//! What is there already comes in the order of time. What follows comes as it is written, and from
//! replicas that take the place of others too. A host that is silent may have replicas that nobody
//! sees: then what there is is shown, and the code is 15.

mod follow;
mod merge;
pub(super) mod printer;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::merge::{Ready, Source as Log, merge};
use self::printer::Printer;
use super::Run;
use super::plan::choice;
use crate::cli::args::{Inputs, LogsArgs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::{Exit, Failure};
use crate::model::{HostName, Identity, LiveContainer, Observed, Owner};
use crate::pipeline::observe;
use crate::planner::Selector;
use crate::ports::{Engine, LogLine, LogOptions, PortError, Ports, Wanted};

pub(super) fn run(run: &Run<'_>, args: &LogsArgs) -> Result<Exit, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let selectors = selectors(&args.of)?;
    let fleet = session.fleet()?;
    let options = LogOptions {
        tail: args.tail,
        since: since(args.since.as_deref(), fleet.ports.clock.now())?,
        follow: args.follow,
        // They order the lines of several hosts, and say where to go on.
        timestamps: true,
    };
    let found = Found::new(&session.owner, &fleet.ports, selectors);
    let mut printer = Printer::new(run.screen.color(), args.timestamps);
    block_on(async {
        let seen = found.look().await;
        let replicas = found.chosen(&seen);
        let unseen = found.unseen(&seen, &replicas);
        if replicas.is_empty() {
            return Err(nothing(run, args, unseen));
        }
        printer.expect(replicas.iter().map(|(_, container)| container));
        if !args.follow {
            let exit = at_once(&found, &replicas, &options, &mut printer).await?;
            return match unseen {
                Some(who) => Err(not_all("could not show all logs", &who)),
                None => Ok(exit),
            };
        }
        if let Some(who) = &unseen {
            run.screen.note(&format!("replicas on hosts that do not answer are not shown: {who}"));
        }
        match follow::follow(&found, &seen, &options, &mut printer).await? {
            Exit::Done if unseen.is_some() => Ok(Exit::Unreachable),
            exit => Ok(exit),
        }
    })?
}

/// What there is was shown, and there may be more.
pub(super) fn not_all(what: &str, silent: &str) -> Failure {
    Failure::new(format!("{what}: not seen: {silent}"))
        .exit(Exit::Unreachable)
        .hint("gitdeploy hosts")
}

fn nothing(run: &Run<'_>, args: &LogsArgs, unseen: Option<String>) -> Failure {
    let of = args.of.join(", ");
    match unseen {
        Some(who) => {
            let what = format!("could not show logs: nothing is known of {of}");
            not_all(&what, &who).hint(run.cli.global.next_command("hosts"))
        }
        None => Failure::new(format!("could not show logs: nothing runs of {of}"))
            .hint(run.cli.global.next_command("status")),
    }
}

/// All that is there, in the order of time.
async fn at_once(
    found: &Found<'_>,
    replicas: &[(HostName, LiveContainer)],
    options: &LogOptions,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let logs = replicas.iter().map(|(host, container)| {
        let (ready, engine) = (Ready::default(), found.engine(host));
        let read = ready.clone();
        Log::new(ready, async move {
            let mut keep = |line: LogLine| {
                read.push(line.text);
                true
            };
            match engine {
                Some(engine) => engine.logs(&container.name, options, &mut keep).await,
                None => Ok(()),
            }
        })
    });
    let ends = merge(logs.collect(), |number, text| printer.print(&replicas[number].1, text)).await;
    let mut failed = Vec::new();
    let mut exit = Exit::Failed;
    for (end, (_, container)) in ends.iter().zip(replicas) {
        match end {
            None | Some(Ok(()) | Err(PortError::NotFound(_))) => {}
            Some(Err(error)) => {
                if matches!(error, PortError::Unreachable(_) | PortError::Unknown(_)) {
                    exit = Exit::Unreachable;
                }
                failed.push(format!("{}: {error}", container.name));
            }
        }
    }
    match failed.is_empty() {
        true => Ok(Exit::Done),
        false => {
            let message = format!("could not show all logs: {}", failed.join("; "));
            Err(Failure::new(message).exit(exit))
        }
    }
}

/// Where the replicas are that were asked for.
pub(super) struct Found<'a> {
    owner: &'a Owner,
    /// The engines alone: proxies have no replicas.
    pub(super) ports: Ports,
    selectors: Vec<Selector>,
}

impl<'a> Found<'a> {
    pub(super) fn new(owner: &'a Owner, ports: &Ports, selectors: Vec<Selector>) -> Self {
        let ports = Ports { proxies: BTreeMap::new(), ..ports.clone() };
        Self { owner, ports, selectors }
    }

    pub(super) async fn look(&self) -> Observed {
        observe(&self.ports, self.owner, &Wanted::default()).await
    }

    fn engine(&self, host: &HostName) -> Option<Arc<dyn Engine>> {
        self.ports.engines.get(host).map(Arc::clone)
    }

    /// The replicas that were asked for, in the order of their labels.
    pub(super) fn chosen(&self, seen: &Observed) -> Vec<(HostName, LiveContainer)> {
        let hosts = seen.hosts.iter().filter_map(|(name, host)| Some((name, host.as_ref().ok()?)));
        let all = hosts.flat_map(|(name, host)| host.containers.values().map(move |it| (name, it)));
        let is_chosen = |container: &LiveContainer| {
            let it = &container.identity;
            self.selectors.iter().any(|selector| selector.covers(&it.stack, &it.service, it.slot))
        };
        let chosen = all.filter(|(_, container)| is_chosen(container));
        let mut chosen: Vec<(HostName, LiveContainer)> =
            chosen.map(|(host, container)| (host.clone(), container.clone())).collect();
        chosen.sort_by_key(|(_, container)| printer::label(container));
        chosen
    }

    /// Hosts that did not answer and may have some of what was asked for. Replicas that were asked
    /// for one by one and are there are all there is.
    pub(super) fn unseen(
        &self,
        seen: &Observed,
        chosen: &[(HostName, LiveContainer)],
    ) -> Option<String> {
        let is_found = |selector: &Selector| {
            let covers = |it: &Identity| selector.covers(&it.stack, &it.service, it.slot);
            selector.slot.is_some() && chosen.iter().any(|(_, it)| covers(&it.identity))
        };
        if self.selectors.iter().all(is_found) {
            return None;
        }
        let silent = seen.hosts.iter().filter_map(|(host, state)| {
            let fault = state.as_ref().err()?;
            Some(format!("{host} ({})", fault.message))
        });
        let silent: Vec<String> = silent.collect();
        (!silent.is_empty()).then(|| silent.join(", "))
    }
}

pub(super) fn selectors(texts: &[String]) -> Result<Vec<Selector>, Failure> {
    let parse = |text: &String| {
        text.parse().map_err(|why| Failure::new(format!("could not use `{text}`: {why}")))
    };
    texts.iter().map(parse).collect()
}

/// A moment, or how long ago.
fn since(text: Option<&str>, now: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Some(u64::try_from(moment.as_millisecond()).unwrap_or(0)));
    }
    let ago = crate::settings::parse_duration(text).map_err(|why| {
        Failure::new(format!("could not use `--since {text}`: {why}"))
            .hint("a duration, as in `10m`, or a moment, as in `2026-01-31T12:00:00Z`")
    })?;
    Ok(Some(now.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_moment_or_a_time_ago() {
        let read = |text| since(Some(text), 1_000_000).map_err(|failure| failure.message);
        assert_eq!(read("10m"), Ok(Some(400_000)));
        assert_eq!(read("1970-01-01T00:01:00Z"), Ok(Some(60_000)));
        assert!(read("yesterday").is_err());
    }
}
