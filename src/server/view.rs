//! The picture as the page shows it: words, colours by their names, times in relation to now.
//!
//! Plain functions from a [`Picture`] to what the templates read. Nothing here is a link to
//! elsewhere: an address from a repository is text.

use serde::Serialize;

use super::metrics::{end_word, health_word, sync_word};
use super::when::When;
use crate::model::{Millis, Name, StackName};
use crate::sync::{
    Health, HostView, Mode, Picture, PlanView, Round, RoundEnd, SourceView, StackView, StepView,
    Sync, Trigger, Waiting,
};

/// Rounds that the overview shows.
const ROUNDS_SHOWN: usize = 12;

/// A word and what it stands for: `good`, `busy`, `bad`, `dim`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Badge {
    word: &'static str,
    class: &'static str,
}

/// `/`.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    started: When,
    at: When,
    is_ready: bool,
    trouble: Option<String>,
    sources: Vec<SourcePart>,
    running: Vec<RunningPart>,
    rounds: Vec<RoundPart>,
}

#[derive(Debug, Serialize)]
struct SourcePart {
    name: String,
    repository: String,
    branch: String,
    environment: String,
    head: Option<String>,
    summary: Option<String>,
    fetched: Option<When>,
    next_fetch: Option<When>,
    trouble: Option<String>,
    hosts: Vec<HostPart>,
    stacks: Vec<StackPart>,
}

#[derive(Debug, Serialize)]
struct HostPart {
    name: String,
    is_up: bool,
    trouble: Option<String>,
    seen: Option<When>,
    took: Option<Millis>,
}

/// A stack in one row.
#[derive(Debug, Serialize)]
struct StackPart {
    name: String,
    address: String,
    sync: Badge,
    health: Badge,
    mode: ModePart,
    synced: Option<String>,
    synced_at: Option<When>,
    waiting: Option<WaitingPart>,
    drift: Vec<String>,
    progress: Option<(usize, usize)>,
    plan: Option<String>,
}

#[derive(Debug, Serialize)]
struct ModePart {
    word: &'static str,
    reason: Option<String>,
    until: Option<When>,
}

#[derive(Debug, Serialize)]
struct WaitingPart {
    reason: String,
    until: Option<When>,
}

#[derive(Debug, Serialize)]
struct RunningPart {
    source: String,
    stack: String,
    address: String,
    round: RoundPart,
}

#[derive(Debug, Serialize)]
struct RoundPart {
    source: String,
    stack: String,
    address: String,
    number: u64,
    trigger: &'static str,
    by: Option<String>,
    commit: String,
    began: When,
    took: Option<String>,
    end: Option<Badge>,
    message: String,
    done: usize,
    of: usize,
    steps: Vec<StepView>,
}

/// `/stacks/{source}/{stack}`.
#[derive(Debug, Serialize)]
pub(super) struct StackPage {
    source: String,
    environment: String,
    at: When,
    stack: StackPart,
    running: Option<RoundPart>,
    plan: Option<PlanPart>,
    history: Vec<RoundPart>,
    replicas: Vec<ReplicaPart>,
}

#[derive(Debug, Serialize)]
struct PlanPart {
    id: String,
    commit: Option<String>,
    at: When,
    text: String,
    summary: String,
}

/// One row of `status`.
#[derive(Debug, Serialize)]
struct ReplicaPart {
    service: String,
    slot: String,
    host: String,
    image: String,
    state: String,
    is_well: bool,
    routed: String,
    drift: String,
}

/// The whole fleet.
pub(super) fn overview(picture: &Picture, now: Millis) -> Overview {
    let mut running = Vec::new();
    let mut rounds = Vec::new();
    for (source, view) in &picture.sources {
        for (stack, view) in &view.stacks {
            if let Some(round) = &view.running {
                running.push(RunningPart {
                    source: source.to_string(),
                    stack: stack.to_string(),
                    address: address(source, stack),
                    round: round_part(source, stack, round, now),
                });
            }
            rounds.extend(view.history.iter().map(|round| (source, stack, round)));
        }
    }
    rounds.sort_by_key(|(_, _, round)| std::cmp::Reverse(round.ended));
    rounds.truncate(ROUNDS_SHOWN);
    Overview {
        started: When::new(picture.started, now),
        at: When::new(picture.at, now),
        is_ready: picture.is_ready,
        trouble: picture.trouble.clone(),
        sources: picture.sources.iter().map(|(name, it)| source_part(name, it, now)).collect(),
        running,
        rounds: rounds.into_iter().map(|(a, b, round)| round_part(a, b, round, now)).collect(),
    }
}

/// One stack; `None` when there is none of that name.
pub(super) fn stack(
    picture: &Picture,
    source: &str,
    stack: &str,
    now: Millis,
) -> Option<StackPage> {
    let (source, of) = picture.sources.get_key_value(source)?;
    let (name, view) = of.stacks.get_key_value(stack)?;
    Some(StackPage {
        source: source.to_string(),
        environment: of.environment.clone(),
        at: When::new(picture.at, now),
        stack: stack_part(source, name, view, now),
        running: view.running.as_ref().map(|round| round_part(source, name, round, now)),
        plan: view.plan.as_ref().map(|plan| plan_part(plan, now)),
        history: view.history.iter().map(|it| round_part(source, name, it, now)).collect(),
        replicas: view.replicas.iter().map(replica_part).collect(),
    })
}

fn source_part(name: &Name, view: &SourceView, now: Millis) -> SourcePart {
    let SourceView {
        repository,
        branch,
        environment,
        head,
        summary,
        fetched,
        next_fetch,
        trouble,
        hosts,
        stacks,
        measured: _,
    } = view;
    SourcePart {
        name: name.to_string(),
        repository: repository.clone(),
        branch: branch.clone(),
        environment: environment.clone(),
        head: head.as_ref().map(|commit| commit.short().to_owned()),
        summary: summary.clone(),
        fetched: fetched.map(|at| When::new(at, now)),
        next_fetch: next_fetch.map(|at| When::new(at, now)),
        trouble: trouble.clone(),
        hosts: hosts.iter().map(|(host, it)| host_part(host.as_str(), it, now)).collect(),
        stacks: stacks.iter().map(|(stack, it)| stack_part(name, stack, it, now)).collect(),
    }
}

fn host_part(name: &str, view: &HostView, now: Millis) -> HostPart {
    let HostView { is_up, trouble, seen, took, transport: _ } = view;
    HostPart {
        name: name.to_owned(),
        is_up: *is_up,
        trouble: trouble.clone(),
        seen: seen.map(|at| When::new(at, now)),
        took: *took,
    }
}

fn stack_part(source: &Name, name: &StackName, view: &StackView, now: Millis) -> StackPart {
    let mode = match &view.mode {
        Mode::Automatic => ModePart { word: "automatic", reason: None, until: None },
        Mode::PlanOnly => ModePart { word: "plan only", reason: None, until: None },
        Mode::Paused { until, reason } => ModePart {
            word: "paused",
            reason: Some(reason.clone()),
            until: until.map(|at| When::new(at, now)),
        },
    };
    let waiting = view.waiting.as_ref().map(|Waiting { reason, until }| WaitingPart {
        reason: reason.clone(),
        until: until.map(|at| When::new(at, now)),
    });
    StackPart {
        name: name.to_string(),
        address: address(source, name),
        sync: sync_badge(view.sync),
        health: health_badge(view.health),
        mode,
        synced: view.synced.as_ref().map(|commit| commit.short().to_owned()),
        synced_at: view.synced_at.map(|at| When::new(at, now)),
        waiting,
        drift: view.drift.clone(),
        progress: view.running.as_ref().map(|round| (round.done, round.of)),
        plan: view.plan.as_ref().map(|plan| plan.summary.clone()),
    }
}

/// Names are of letters that need no quoting in an address.
fn address(source: &Name, stack: &StackName) -> String {
    format!("/stacks/{source}/{stack}")
}

fn round_part(source: &Name, stack: &StackName, round: &Round, now: Millis) -> RoundPart {
    RoundPart {
        source: source.to_string(),
        stack: stack.to_string(),
        address: address(source, stack),
        number: round.number,
        trigger: match round.trigger {
            Trigger::Commit => "new commit",
            Trigger::Drift => "drift",
            Trigger::Retry => "another try",
            Trigger::Order => "asked for",
            Trigger::Return => "a host came back",
        },
        by: round.by.clone(),
        commit: round.commit.short().to_owned(),
        began: When::new(round.began, now),
        took: round.ended.map(|ended| crate::ui::took(ended.saturating_sub(round.began))),
        end: round.end.map(end_badge),
        message: round.message.clone(),
        done: round.done,
        of: round.of,
        steps: round.steps.clone(),
    }
}

fn plan_part(plan: &PlanView, now: Millis) -> PlanPart {
    PlanPart {
        id: plan.id.0.clone(),
        commit: plan.commit.as_ref().map(|commit| commit.short().to_owned()),
        at: When::new(plan.at, now),
        text: plan.text.clone(),
        summary: plan.summary.clone(),
    }
}

fn replica_part(row: &serde_json::Value) -> ReplicaPart {
    let text = |key: &str| match row.get(key) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        Some(serde_json::Value::Array(list)) => {
            let words: Vec<&str> = list.iter().filter_map(serde_json::Value::as_str).collect();
            words.join(", ")
        }
        Some(_) | None => String::new(),
    };
    ReplicaPart {
        service: text("service"),
        slot: text("slot"),
        host: text("host"),
        image: text("image"),
        state: text("state"),
        is_well: row.get("well").and_then(serde_json::Value::as_bool).unwrap_or(false),
        routed: text("routed"),
        drift: text("drift"),
    }
}

fn sync_badge(sync: Sync) -> Badge {
    let class = match sync {
        Sync::Synced => "good",
        Sync::OutOfSync => "busy",
        Sync::Unknown => "dim",
    };
    Badge { word: sync_word(sync), class }
}

fn health_badge(health: Health) -> Badge {
    let class = match health {
        Health::Healthy => "good",
        Health::Progressing => "busy",
        Health::Missing | Health::Degraded => "bad",
        Health::Unknown => "dim",
    };
    Badge { word: health_word(health), class }
}

fn end_badge(end: RoundEnd) -> Badge {
    let class = match end {
        RoundEnd::Synced => "good",
        RoundEnd::RolledBack | RoundEnd::Failed | RoundEnd::Partly => "bad",
        RoundEnd::Interrupted | RoundEnd::Locked | RoundEnd::Refused => "busy",
    };
    Badge { word: end_word(end), class }
}

/// A small fleet, for the tests of all that shows it.
#[cfg(test)]
pub(super) mod fixture {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{CommitId, PlanId};
    use crate::sync::{Asked, Measured, Times, Transport};

    pub(crate) const NOW: Millis = 1_700_000_000_000;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    /// A stack that is synced, one that has drifted and waits; one host is away.
    #[expect(clippy::too_many_lines, reason = "a picture with something of everything")]
    pub(crate) fn picture() -> Picture {
        let commit = CommitId::new("3f2a1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b");
        let round = Round {
            number: 7,
            trigger: Trigger::Commit,
            by: None,
            commit: commit.clone(),
            began: NOW - 904_000,
            ended: Some(NOW - 900_000),
            end: Some(RoundEnd::Synced),
            message: "4 replicas replaced".to_owned(),
            done: 12,
            of: 12,
            steps: Vec::new(),
        };
        let plan = PlanView {
            id: PlanId("9d1c".repeat(16)),
            commit: Some(commit.clone()),
            at: NOW - 905_000,
            text: "shop\n\n  +/- web  4 replicas, no downtime\n".to_owned(),
            summary: "Plan: 4 to create, 1 to change, 4 to remove.".to_owned(),
            totals: (4, 1, 4),
        };
        let web = StackView {
            sync: Sync::Synced,
            health: Health::Healthy,
            mode: Mode::Automatic,
            synced: Some(commit.clone()),
            synced_at: Some(NOW - 900_000),
            waiting: None,
            drift: Vec::new(),
            drifted: BTreeMap::new(),
            plan: Some(plan.into()),
            running: None,
            history: vec![round.into()],
            replicas: vec![serde_json::json!({
                "service": "web", "slot": 1, "host": "web-1", "image": "shop:1.4.2",
                "state": "running (healthy)", "well": true, "routed": ["edge"], "drift": [],
            })]
            .into(),
        };
        let api = StackView {
            sync: Sync::OutOfSync,
            health: Health::Degraded,
            waiting: Some(Waiting {
                reason: "outside the window <office hours>".to_owned(),
                until: Some(NOW + 3_600_000),
            }),
            drift: vec!["web: image is shop:debug".to_owned()],
            drifted: BTreeMap::from([(name("web-2").into(), 1)]),
            plan: None,
            history: Vec::new(),
            ..web.clone()
        };
        let host = HostView {
            is_up: true,
            trouble: None,
            seen: Some(NOW),
            took: Some(38),
            transport: Transport::Ssh,
        };
        let away = HostView {
            is_up: false,
            trouble: Some("it does not answer".to_owned()),
            seen: Some(NOW - 600_000),
            took: None,
            transport: Transport::Tls,
        };
        let source = SourceView {
            repository: "https://git.example.com/acme/shop".to_owned(),
            branch: "main".to_owned(),
            environment: "production".to_owned(),
            head: Some(commit),
            summary: Some("Bigger cache".to_owned()),
            fetched: Some(NOW - 30_000),
            next_fetch: Some(NOW + 90_000),
            trouble: None,
            hosts: BTreeMap::from([(name("web-1").into(), host), (name("web-2").into(), away)]),
            stacks: BTreeMap::from([(name("web").into(), web), (name("api").into(), api)]),
            measured: Measured {
                lists: Asked {
                    done: Times { count: 12, sum: 3_400 },
                    failed: Times { count: 1, sum: 20_000 },
                },
                drains: Times { count: 2, sum: 1_500 },
                ..Measured::default()
            },
        };
        Picture {
            started: NOW - 86_400_000,
            at: NOW,
            is_ready: true,
            trouble: None,
            sources: BTreeMap::from([(name("shop"), source)]),
        }
    }
}
