//! What is true of every plan, on fleets that plans, crashes and accidents have led to.

use proptest::prelude::*;
use serde_json::Value;

use super::fixture::{Fleet, ONE, TWO, TWO_PROXIES};
use crate::model::{Health, Status};

/// One service as a generator makes it.
#[derive(Debug, Clone)]
struct Draw {
    image: u8,
    env: u8,
    replicas: u8,
    routed: u8,
    gate: bool,
    parallelism: Option<u8>,
    strategy: &'static str,
    stop_first: bool,
    volume: bool,
    fixed_port: bool,
    named: bool,
    waits: u8,
    global: bool,
}

/// What happens between two plans.
#[derive(Debug, Clone)]
enum Turn {
    /// A commit: the shop's services, and whether a second stack is there.
    Want(Vec<Draw>, bool, bool),
    /// The first steps of the plan are carried out.
    Crash(u8),
    /// All steps are.
    Apply,
    /// A container ends, gets ill or vanishes.
    Accident(u8, u8),
    /// The proxy forgets what its file says.
    Forget,
    /// Somebody edits the proxy's file.
    Edit,
}

fn strategy() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["all-at-once", "rolling", "host-by-host"])
}

fn draw() -> impl Strategy<Value = Draw> {
    let first = (0..3_u8, 0..3_u8, 0..4_u8, 0..3_u8, any::<bool>());
    let second = (proptest::option::of(0..3_u8), strategy(), proptest::bool::weighted(0.2));
    let third = (
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.15),
        proptest::bool::weighted(0.1),
        0..5_u8,
        proptest::bool::weighted(0.1),
    );
    (first, second, third).prop_map(
        |((image, env, replicas, routed, gate), (parallelism, strategy, stop_first), third)| {
            let (volume, fixed_port, named, waits, global) = third;
            Draw {
                image,
                env,
                replicas,
                routed,
                gate,
                parallelism,
                strategy,
                stop_first,
                volume,
                fixed_port,
                named,
                waits,
                global,
            }
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => (proptest::collection::vec(draw(), 0..4), any::<bool>(), proptest::bool::weighted(0.2))
            .prop_map(|(services, other, internal)| Turn::Want(services, other, internal)),
        3 => any::<u8>().prop_map(Turn::Crash),
        2 => Just(Turn::Apply),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Turn::Accident(which, what)),
        1 => Just(Turn::Forget),
        1 => Just(Turn::Edit),
    ]
}

/// Compose text of the services, which are called `s0`, `s1` and so on.
fn compose(draws: &[Draw], internal: bool) -> String {
    if draws.is_empty() {
        return "services: {s0: {image: 'i:0'}}".to_owned();
    }
    let mut services = Vec::new();
    for (index, it) in draws.iter().enumerate() {
        let port = 8080 + u16::from(it.routed) * 10;
        let is_single = it.fixed_port || it.named;
        let replicas = if is_single { it.replicas.min(1) } else { it.replicas };
        let mut keys =
            vec![format!("image: 'i:{}'", it.image), format!("environment: {{A: '{}'}}", it.env)];
        let mut update = Vec::new();
        update.extend(it.parallelism.map(|it| format!("parallelism: {it}")));
        update.extend(it.stop_first.then(|| "order: stop-first".to_owned()));
        let mode = if it.global && !it.named {
            "mode: global".to_owned()
        } else {
            format!("replicas: {replicas}")
        };
        keys.push(format!("deploy: {{{mode}, update_config: {{{}}}}}", update.join(", ")));
        let mut own = vec![format!("rollout: {{strategy: {}}}", it.strategy)];
        if it.routed > 0 {
            own.push(format!("routes: [{{host: s{index}.example.com, port: {port}}}]"));
            own.extend(it.gate.then(|| "health: {http: /ok}".to_owned()));
        }
        keys.push(format!("x-gitdeploy: {{{}}}", own.join(", ")));
        keys.extend(it.volume.then(|| format!("volumes: ['v{index}:/data']")));
        keys.extend(it.fixed_port.then(|| format!("ports: ['{}:90']", 9000 + index)));
        keys.extend(it.named.then(|| format!("container_name: fixed-{index}")));
        if index > 0 && it.waits > 0 {
            let (condition, restart) = match it.waits {
                1 => ("service_started", false),
                2 => ("service_healthy", false),
                3 => ("service_started", true),
                _ => ("service_completed_successfully", false),
            };
            let condition =
                if condition == "service_completed_successfully" && draws[index - 1].routed > 0 {
                    "service_started"
                } else {
                    condition
                };
            keys.push(format!(
                "depends_on: {{s{}: {{condition: {condition}, restart: {restart}}}}}",
                index - 1
            ));
        }
        services.push(format!("  s{index}: {{{}}}", keys.join(", ")));
    }
    let volumes: Vec<String> = (0..draws.len()).map(|index| format!("v{index}: {{}}")).collect();
    format!(
        "services:\n{}\nvolumes: {{{}}}\nnetworks: {{default: {{internal: {internal}}}}}\n",
        services.join("\n"),
        volumes.join(", ")
    )
}

/// Carries out a turn. What is refused, and why, is no matter here.
fn take(fleet: &mut Fleet, turn: &Turn) {
    match turn {
        Turn::Want(draws, other, internal) => {
            fleet.want("shop", &compose(draws, *internal));
            if *other {
                fleet.want("other", "services: {web: {image: 'i:1', x-gitdeploy: {routes: [{host: o.example.com, port: 80}]}}}");
            } else {
                fleet.drop_stack("other");
            }
        }
        Turn::Crash(share) => {
            if let Ok(plan) = fleet.plan() {
                fleet.apply(&plan, plan.steps.len() * usize::from(*share) / 255);
            }
        }
        Turn::Apply => {
            if let Ok(plan) = fleet.plan() {
                fleet.apply(&plan, plan.steps.len());
            }
        }
        Turn::Accident(which, what) => accident(fleet, usize::from(*which), *what),
        Turn::Forget => {
            for state in fleet.observed.proxies.values_mut().flatten() {
                state.serving = state.serving.map(|generation| generation.saturating_sub(1));
            }
        }
        Turn::Edit => {
            for state in fleet.observed.proxies.values_mut().flatten() {
                state.file.iter_mut().for_each(|file| file.push_str("# by hand\n"));
            }
        }
    }
}

fn accident(fleet: &mut Fleet, which: usize, what: u8) {
    let hosts = fleet.observed.hosts.values_mut().flatten();
    let names: Vec<String> = hosts.flat_map(|state| state.containers.keys().cloned()).collect();
    let Some(name) = names.get(which % names.len().max(1)) else { return };
    for state in fleet.observed.hosts.values_mut().flatten() {
        let Some(live) = state.containers.get_mut(name) else { continue };
        match what % 3 {
            0 => live.state.status = Status::Exited,
            1 => live.state.health = Some(Health::Unhealthy("no answer".into())),
            _ => drop(state.containers.remove(name)),
        }
    }
}

fn fleet() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(ONE), Just(TWO), Just(TWO_PROXIES)]
}

/// The same value with the keys of all objects the other way round.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(fields) => {
            fields.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each plan on the way passes the linter, which `Fleet::plan` asks.
    #[test]
    fn what_is_left_after_everything_is_nothing(
        inventory in fleet(),
        turns in proptest::collection::vec(turn(), 1..9),
    ) {
        let mut fleet = Fleet::new(inventory);
        for turn in &turns {
            take(&mut fleet, turn);
        }
        if let Ok(plan) = fleet.plan() {
            fleet.apply(&plan, plan.steps.len());
            let rest = fleet.plan().expect("what could be planned before can be planned after");
            prop_assert!(
                rest.is_empty(),
                "first:\n{}\nrest:\n{}", fleet.lines(&plan), fleet.lines(&rest)
            );
        }
    }

    #[test]
    fn a_plan_cut_off_anywhere_is_ended_by_the_next(
        inventory in fleet(),
        before in proptest::collection::vec(draw(), 1..4),
        after in proptest::collection::vec(draw(), 1..4),
        share in any::<u8>(),
    ) {
        let mut fleet = Fleet::new(inventory);
        fleet.want("shop", &compose(&before, false));
        take(&mut fleet, &Turn::Apply);
        fleet.want("shop", &compose(&after, false));
        if let Ok(plan) = fleet.plan() {
            fleet.apply(&plan, plan.steps.len() * usize::from(share) / 255);
            let rest = fleet.plan().expect("what could be planned before can be planned after");
            fleet.apply(&rest, rest.steps.len());
            prop_assert_eq!(fleet.text(), "nothing to do");
        }
    }

    #[test]
    fn the_order_of_what_was_seen_is_no_part_of_a_plan(
        inventory in fleet(),
        turns in proptest::collection::vec(turn(), 1..6),
    ) {
        let mut fleet = Fleet::new(inventory);
        for turn in &turns {
            take(&mut fleet, turn);
        }
        let mut other = fleet.clone();
        other.observed.at += 5000;
        for state in other.observed.hosts.values_mut().flatten() {
            for live in state.containers.values_mut() {
                live.config = reversed(&live.config).into();
            }
        }
        let id = |fleet: &Fleet| fleet.plan().map(|plan| plan.id);
        prop_assert_eq!(id(&fleet), id(&other));
    }
}
