//! `snapshot`: the live fleet in a file that can be given away, to plan and review with.

use serde_json::json;

use super::Run;
use super::plan::choice;
use crate::cli::args::SnapshotArgs;
use crate::cli::live::{Session, Source, block_on};
use crate::cli::{Exit, Failure, picture, repository};
use crate::pipeline::{Cache, Picture, Wish, wanted};

pub(super) fn run(run: &Run<'_>, args: &SnapshotArgs) -> Result<Exit, Failure> {
    let key = picture::needed_key(run, args.key.as_deref())?;
    let Some(out) = &args.out else {
        let signer = key.signer();
        let value =
            || json!({"public_key": signer.to_string(), "fingerprint": signer.fingerprint()});
        run.screen.result_as(&format!("{signer}\n"), value)?;
        return Ok(Exit::Done);
    };
    let session = Session::open(run, Source::Options, choice(run, &args.inputs))?;
    // What has errors names nothing to look for; what is on the hosts is seen all the same.
    let desired = session.snapshot.resolve(&mut Cache::default()).desired;
    let (wish, _) = Wish::without_secrets(&session.snapshot, desired)
        .map_err(|why| Failure::new(format!("could not take a snapshot: {why}")))?;
    let fleet = session.fleet()?;
    let bar = repository::progress(run.screen, "looking at the hosts");
    let observed = block_on(fleet.look(&wish))?;
    bar.finish_and_clear();
    let silent: Vec<String> = observed
        .hosts
        .iter()
        .filter_map(|(name, host)| Some(format!("{name}: {}", host.as_ref().err()?.message)))
        .collect();
    for host in &silent {
        run.screen.note(&format!("warning: not in the snapshot: {host}"));
    }
    let hosts = observed.hosts.len();
    if hosts > 0 && silent.len() == hosts {
        return Err(Failure::new("could not take a snapshot: no host answered")
            .exit(Exit::Unreachable)
            .hint(run.cli.global.next_command("hosts")));
    }
    let passes = !session.snapshot.settings.pass_env.is_empty();
    let text = Picture::taken(&session.owner, observed, wanted(&wish.desired), passes, &key)
        .map_err(|error| Failure::because("could not sign the snapshot", &error))?;
    write(&run.world.folder.join(out), &text)
        .map_err(|error| Failure::because(&format!("could not write {}", out.display()), &error))?;
    run.screen.note(&format!(
        "{} of {hosts} hosts in {}, signed with the key {}",
        hosts - silent.len(),
        out.display(),
        key.signer().fingerprint()
    ));
    Ok(Exit::Done)
}

/// Whoever reads it meanwhile has the old one or the new one.
fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).inspect_err(|_| {
        // What is left of it is of no use.
        drop(std::fs::remove_file(&beside));
    })
}
