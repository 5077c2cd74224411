//! `approve`, `pause`, `resume`, `retry`: orders to a daemon.

use serde_json::{Value, json};

use super::Run;
use super::apply::is_yes;
use crate::cli::args::{ApproveArgs, Daemon, PauseArgs, ResumeArgs, RetryArgs};
use crate::cli::remote::Remote;
use crate::cli::{Exit, Failure};

pub(super) fn approve(run: &Run<'_>, args: &ApproveArgs) -> Result<Exit, Failure> {
    let remote = Remote::new(run, &args.daemon)?;
    let (source, stack) = remote.find(&args.stack)?;
    let plan = match &args.plan {
        Some(plan) => plan.clone(),
        None => {
            let plan = remote.get(&["plans", &source, &stack])?;
            run.screen.result(plan["text"].as_str().unwrap_or_default())?;
            if !args.auto_approve && !is_yes(run, "approve", "Carry this plan out?")? {
                run.screen.note("nothing was changed");
                return Ok(Exit::Done);
            }
            plan["id"].as_str().unwrap_or_default().to_owned()
        }
    };
    order(run, &remote, [&source, &stack, "approve"], json!({ "plan": plan }))?;
    run.screen.note(&format!("the daemon carries the plan of {stack} out"));
    Ok(Exit::Done)
}

pub(super) fn pause(run: &Run<'_>, args: &PauseArgs) -> Result<Exit, Failure> {
    let until = args.until.as_deref().map(moment).transpose()?;
    let body = json!({ "reason": args.reason, "until": until });
    let stack = simple(run, &args.daemon, &args.stack, "pause", body)?;
    run.screen.note(&format!("{stack} is left as it is"));
    Ok(Exit::Done)
}

pub(super) fn resume(run: &Run<'_>, args: &ResumeArgs) -> Result<Exit, Failure> {
    let stack = simple(run, &args.daemon, &args.stack, "resume", json!({}))?;
    run.screen.note(&format!("{stack} is followed again"));
    Ok(Exit::Done)
}

pub(super) fn retry(run: &Run<'_>, args: &RetryArgs) -> Result<Exit, Failure> {
    let stack = simple(run, &args.daemon, &args.stack, "sync", json!({}))?;
    run.screen.note(&format!("the daemon plans {stack} anew"));
    Ok(Exit::Done)
}

fn simple(
    run: &Run<'_>,
    daemon: &Daemon,
    name: &str,
    verb: &str,
    body: Value,
) -> Result<String, Failure> {
    let remote = Remote::new(run, daemon)?;
    let (source, stack) = remote.find(name)?;
    order(run, &remote, [&source, &stack, verb], body)?;
    Ok(stack)
}

fn order(run: &Run<'_>, remote: &Remote, path: [&str; 3], mut body: Value) -> Result<(), Failure> {
    // For the history only: the token proves nobody's name.
    if let Some(user) = run.world.variable("USER") {
        body["by"] = user.into();
    }
    let [source, stack, verb] = path;
    remote.post(&["stacks", source, stack, verb], &body).map(drop)
}

/// `2h` from now, or a moment.
fn moment(text: &str) -> Result<u64, Failure> {
    if let Ok(duration) = crate::settings::parse_duration(text) {
        let now = jiff::Timestamp::now().as_millisecond();
        let ahead = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        return Ok(u64::try_from(now).unwrap_or_default().saturating_add(ahead));
    }
    let moment = text.parse::<jiff::Timestamp>().ok();
    let millis = moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    millis.ok_or_else(|| {
        Failure::new(format!("could not use --until {text}: it is no length of time and no moment"))
            .hint("write 30m, 2h, or 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_moment_or_a_length_of_time() {
        assert_eq!(moment("2026-01-01T12:00:00Z").ok(), Some(1_767_268_800_000));
        assert!(moment("2h").is_ok_and(|it| it > 1_767_268_800_000));
        assert!(moment("tomorrow").is_err());
    }
}
