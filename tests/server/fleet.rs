//! A small fleet in the middle of a rollout, as the page shows it.

use std::collections::BTreeMap;

use gitdeploy::model::{CommitId, Millis, PlanId, StackName};
use gitdeploy::sync::{
    Health, HostView, Measured, Mode, Picture, PlanView, Round, RoundEnd, SourceView, StackView,
    StepView, Sync, Transport, Trigger, Waiting,
};
use serde_json::json;

use crate::rig::name;

pub(crate) const NOW: Millis = 1_767_268_800_000;
pub(crate) const PLAN: &str = "9d1c44a0b7e25f3388c1d6a9f0e4b2719d1c44a0b7e25f3388c1d6a9f0e4b271";

const OLD: &str = "b81d03e5a92c7744f1e06d3b58a9c2f7e4d1b603";
const NEW: &str = "3f2a1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b";

const PLAN_TEXT: &str = "\
shop  3f2a1c9 \"Bigger cache\"  production

  +/- web   4 replicas, no downtime              (image, env.CACHE_MB)
        image         registry.example.com/shop:1.4.1 → registry.example.com/shop:1.4.2
        env.CACHE_MB  \"64\" → \"256\"
  ~   edge  nginx on edge-1                      (4 servers change)

Plan: 4 to create, 1 to change, 4 to remove.
";

/// A fleet of three hosts: one stack is synced, one is being replaced, one has drifted and waits
/// for its window, one is paused.
pub(crate) fn fleet() -> Picture {
    let stacks = BTreeMap::from([
        (stack("api"), api()),
        (stack("docs"), quiet(Mode::Automatic)),
        (
            stack("reports"),
            quiet(Mode::Paused {
                until: Some(NOW + 5 * 3_600_000),
                reason: "the month is being closed".to_owned(),
            }),
        ),
        (stack("shop"), shop()),
    ]);
    let transport = Transport::Ssh;
    let host = |took| HostView {
        is_up: true,
        trouble: None,
        seen: Some(NOW),
        took: Some(took),
        transport,
    };
    let away = HostView {
        is_up: false,
        trouble: Some("it did not answer within 5 s".to_owned()),
        seen: Some(NOW - 340_000),
        took: None,
        transport,
    };
    let hosts = BTreeMap::from([
        (name("edge-1").into(), host(21)),
        (name("web-1").into(), host(38)),
        (name("web-2").into(), host(35)),
        (name("web-3").into(), away),
    ]);
    let source = SourceView {
        repository: "https://git.example.com/acme/stacks".to_owned(),
        branch: "main".to_owned(),
        environment: "production".to_owned(),
        head: Some(CommitId::new(NEW)),
        summary: Some("Bigger cache".to_owned()),
        fetched: Some(NOW - 14_000),
        next_fetch: Some(NOW + 106_000),
        trouble: None,
        hosts,
        stacks,
        measured: Measured::default(),
    };
    Picture {
        started: NOW - 3 * 86_400_000,
        at: NOW,
        is_ready: true,
        trouble: None,
        sources: BTreeMap::from([(name("production"), source)]),
    }
}

fn stack(text: &str) -> StackName {
    name(text).into()
}

fn quiet(mode: Mode) -> StackView {
    StackView {
        sync: Sync::Synced,
        health: Health::Healthy,
        mode,
        synced: Some(CommitId::new(OLD)),
        synced_at: Some(NOW - 7_200_000),
        waiting: None,
        drift: Vec::new(),
        drifted: BTreeMap::new(),
        plan: None,
        running: None,
        history: vec![past(11, RoundEnd::Synced, "Nothing differs any more.", 7_204_000).into()],
        replicas: vec![replica("web", 1, "web-1", "running (healthy)", true)].into(),
    }
}

fn api() -> StackView {
    StackView {
        sync: Sync::OutOfSync,
        health: Health::Degraded,
        waiting: Some(Waiting {
            reason: "outside the window `office hours`".to_owned(),
            until: Some(NOW + 2_400_000),
        }),
        drift: vec![
            "web slot 2 on web-2: exited (137)".to_owned(),
            "web: environment changed by hand".to_owned(),
        ],
        history: vec![
            past(12, RoundEnd::RolledBack, "web was not ready within 60 s.", 1_900_000).into(),
        ],
        ..quiet(Mode::Automatic)
    }
}

fn shop() -> StackView {
    let step = |words: &str, state| StepView { words: words.to_owned(), state, message: None };
    let running = Round {
        number: 14,
        trigger: Trigger::Commit,
        by: None,
        commit: CommitId::new(NEW),
        began: NOW - 6_000,
        ended: None,
        end: None,
        message: String::new(),
        done: 4,
        of: 9,
        steps: vec![
            step("pull registry.example.com/shop:1.4.2 on web-1", "done"),
            step("pull registry.example.com/shop:1.4.2 on web-2", "done"),
            step("start acme-shop-web-1-7c1d on web-1", "done"),
            step("start acme-shop-web-2-41f0 on web-2", "done"),
            step("wait until acme-shop-web-1-7c1d is ready", "running"),
            step("wait until acme-shop-web-2-41f0 is ready", "running"),
            step("switch edge on edge-1 to generation 8", "waiting"),
            step("drain acme-shop-web-1-9b0e", "waiting"),
            step("stop acme-shop-web-1-9b0e on web-1", "waiting"),
        ],
    };
    let plan = PlanView {
        id: PlanId(PLAN.to_owned()),
        commit: Some(CommitId::new(NEW)),
        at: NOW - 7_000,
        text: PLAN_TEXT.to_owned(),
        summary: "Plan: 4 to create, 1 to change, 4 to remove.".to_owned(),
        totals: (4, 1, 4),
    };
    StackView {
        sync: Sync::OutOfSync,
        health: Health::Progressing,
        plan: Some(plan.into()),
        running: Some(running),
        history: vec![
            past(9, RoundEnd::Synced, "4 replicas replaced, nothing lost.", 86_400_000).into(),
        ],
        replicas: vec![
            replica("web", 1, "web-1", "running (healthy)", true),
            replica("web", 2, "web-2", "running (healthy)", true),
        ]
        .into(),
        ..quiet(Mode::Automatic)
    }
}

fn past(number: u64, end: RoundEnd, message: &str, ago: Millis) -> Round {
    Round {
        number,
        trigger: Trigger::Commit,
        by: None,
        commit: CommitId::new(OLD),
        began: NOW - ago,
        ended: Some(NOW - ago + 11_400),
        end: Some(end),
        message: message.to_owned(),
        done: 9,
        of: 9,
        steps: Vec::new(),
    }
}

fn replica(service: &str, slot: u32, host: &str, state: &str, is_well: bool) -> serde_json::Value {
    json!({
        "service": service, "slot": slot, "host": host, "state": state, "well": is_well,
        "image": "registry.example.com/shop:1.4.1", "routed": ["edge"], "drift": [],
    })
}
