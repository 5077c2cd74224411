//! Plans made by hand, for the tests of all forms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::model::{
    Action, Backend, BackendChange, BackendKey, Blind, Cause, Change, CommitId, Downtime, Endpoint,
    FieldDifference, Hook, HookMoment, Identity, Mark, Name, Nanos, Note, Op, Owner, Plan, PlanId,
    ProxyFile, ProxyPlace, Readiness, Release, Replica, ReplicaChange, ResourceKind, RouteChange,
    Seen, ServiceName, SpecHash, StackName, StackPlan, Step, StepId,
};

use super::Heading;

/// A secret that must be in no output.
pub(in crate::ui) const SECRET: &str = "hunter2-correct-horse";

const COMMIT: &str = "3f2a1c9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

pub(in crate::ui) fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

pub(in crate::ui) fn heading() -> Heading {
    Heading {
        project: "acme".into(),
        environment: "production".into(),
        commit: "3f2a1c9".into(),
        subject: "Bigger cache".into(),
    }
}

pub(in crate::ui) fn owner() -> Owner {
    Owner { project: name("acme"), environment: name("production") }
}

pub(in crate::ui) fn nothing() -> Plan {
    let stacks = ["shop", "api", "mail"].map(|stack| (name(stack), StackPlan::default()));
    Plan {
        id: PlanId("00aa11bb22cc33dd".into()),
        owner: owner(),
        commit: Some(CommitId::new(COMMIT)),
        commits: BTreeMap::new(),
        stacks: stacks.into(),
        files: Vec::new(),
        steps: Vec::new(),
        blind: Vec::new(),
        strays: BTreeMap::new(),
        basis: crate::model::Basis::default(),
    }
}

pub(in crate::ui) fn change(kind: ResourceKind, of: &str, action: Action, cause: Cause) -> Change {
    Change {
        kind,
        name: of.into(),
        action,
        causes: vec![cause],
        fields: Vec::new(),
        replicas: Vec::new(),
        count: (0, 0),
        downtime: Downtime::None,
    }
}

pub(in crate::ui) fn field(path: &str, old: Option<&str>, new: Option<&str>) -> FieldDifference {
    let seen = |text: &str| match text {
        "hidden" => Seen::Hidden,
        text => Seen::Text(text.into()),
    };
    FieldDifference { path: path.into(), old: old.map(seen), new: new.map(seen) }
}

fn replaced(service: &str, slot: u32, action: Action) -> ReplicaChange {
    ReplicaChange {
        slot,
        host: name("web-1"),
        action,
        cause: Cause::Changed,
        old: Some(container(service, slot, "old")),
        new: Some(container(service, slot, "new")),
    }
}

fn container(service: &str, slot: u32, end: &str) -> String {
    format!("acme-shop-{service}-{slot}-{end}")
}

/// The plan of the documentation: four replicas without downtime, a database with, one proxy.
pub(in crate::ui) fn usual() -> Plan {
    let mut plan = nothing();
    let web = Change {
        fields: vec![
            field("image", Some("registry/shop:1.4.1"), Some("registry/shop:1.4.2")),
            field("env.CACHE_MB", Some("64"), Some("256")),
            field("env.DB_PASSWORD", Some("hidden"), Some("hidden")),
        ],
        replicas: (1..=4).map(|it| replaced("web", it, Action::ReplaceStartFirst)).collect(),
        count: (4, 4),
        ..change(ResourceKind::Service, "web", Action::ReplaceStartFirst, Cause::Changed)
    };
    let db = Change {
        fields: vec![field("memory", Some("1GiB"), Some("2GiB"))],
        replicas: vec![replaced("db", 1, Action::ReplaceStopFirst)],
        count: (1, 1),
        downtime: Downtime::About {
            time: Nanos(4_000_000_000),
            reason: "volume db-data is used by one container at a time".into(),
        },
        ..change(ResourceKind::Service, "db", Action::ReplaceStopFirst, Cause::Changed)
    };
    let note = Note { service: "db".into(), message: "nothing says when it is ready".into() };
    let shop = StackPlan { changes: vec![web, db], notes: vec![note], ..StackPlan::default() };
    plan.stacks.insert(name("shop"), shop);
    plan.files = vec![file("edge-1")];
    plan.steps = steps();
    let fact = ("file of proxy edge".into(), Mark::of([b"ab".as_slice()]));
    plan.basis.hosts.insert(name("edge-1"), [fact].into());
    plan
}

pub(in crate::ui) fn place(host: &str) -> ProxyPlace {
    ProxyPlace { proxy: name("edge"), host: name(host) }
}

pub(in crate::ui) fn file(host: &str) -> ProxyFile {
    let text = |generation: u32, server: &str| {
        format!(
            "# gitdeploy 1: generation {generation}\n# owner: acme/production\n# table: {{}}\n#\n\
             upstream shop.web.8080 {{\n    server 127.0.0.1:{server};\n}}\n"
        )
    };
    ProxyFile {
        place: place(host),
        path: "/etc/nginx/conf.d/gitdeploy.conf".into(),
        kind: "nginx".into(),
        old: Some(text(6, "20000")),
        new: text(7, "20004"),
        servers: 4,
        cause: Cause::Changed,
    }
}

/// Steps with the numbers of those that they need.
struct Chain {
    stack: StackName,
    steps: Vec<Step>,
}

impl Chain {
    fn add(&mut self, service: Option<&str>, slot: Option<u32>, op: Op, needs: &[usize]) -> usize {
        let id = self.steps.len();
        self.steps.push(Step {
            id: StepId(id),
            stack: self.stack.clone(),
            service: service.map(ServiceName::new),
            slot,
            host: name(if matches!(op, Op::Switch { .. } | Op::AwaitDrained { .. }) {
                "edge-1"
            } else {
                "web-1"
            }),
            op,
            needs: needs.iter().copied().map(StepId).collect::<BTreeSet<_>>(),
            cause: Cause::Changed,
        });
        id
    }
}

/// The replica is full of secrets, as real ones are.
fn replica(service: &str, slot: u32) -> Arc<Replica> {
    Arc::new(Replica {
        name: container(service, slot, "new"),
        host: name("web-1"),
        identity: identity(service, slot),
        image: None,
        digest: None,
        body: json!({"Env": [format!("DB_PASSWORD={SECRET}")], "Cmd": [SECRET]}),
        files: Vec::new(),
        endpoints: BTreeMap::new(),
    })
}

pub(in crate::ui) fn identity(service: &str, slot: u32) -> Identity {
    Identity {
        owner: owner(),
        stack: name("shop"),
        service: ServiceName::new(service),
        slot,
        spec: SpecHash::new("ab"),
        inputs: SECRET.into(),
        generation: 6,
        commit: CommitId::new(COMMIT),
    }
}

fn steps() -> Vec<Step> {
    let mut chain = Chain { stack: name("shop"), steps: Vec::new() };
    let pull = Op::Pull { reference: "registry/shop:1.4.2".into(), digest: None, platform: None };
    let pull = chain.add(Some("web"), None, pull, &[]);
    let ready = |service: &str, slot| Op::AwaitReady {
        container: container(service, slot, "new"),
        readiness: Readiness {
            has_check: false,
            probe: None,
            within: Nanos(60_000_000_000),
            stable_for: Nanos(0),
            may_fail: 0,
            goes_on: false,
        },
    };
    let create = |service: &str, slot| Op::Create { replica: replica(service, slot) };
    let start = |service: &str, slot| Op::Start { container: container(service, slot, "new") };
    let stop = |service: &str, slot| Op::Stop {
        container: container(service, slot, "old"),
        id: None,
        grace: Nanos(0),
    };
    let remove =
        |service: &str, slot| Op::Remove { container: container(service, slot, "old"), id: None };
    let mut all_ready = Vec::new();
    for slot in 1..=4 {
        let create = chain.add(Some("web"), Some(slot), create("web", slot), &[pull]);
        let start = chain.add(Some("web"), Some(slot), start("web", slot), &[create]);
        all_ready.push(chain.add(Some("web"), Some(slot), ready("web", slot), &[start]));
    }
    let (switch, drained) = switch_and_drain();
    let switch = chain.add(Some("web"), None, switch, &all_ready);
    let drained = chain.add(Some("web"), None, drained, &[switch]);
    let mut last: Vec<usize> = Vec::new();
    for slot in 1..=4 {
        let hook = chain.add(Some("web"), Some(slot), hook(slot), &[drained]);
        let stop = chain.add(Some("web"), Some(slot), stop("web", slot), &[hook]);
        last.push(chain.add(Some("web"), Some(slot), remove("web", slot), &[stop]));
    }
    let stop = chain.add(Some("db"), Some(1), stop("db", 1), &[]);
    let remove = chain.add(Some("db"), Some(1), remove("db", 1), &[stop]);
    let create = chain.add(Some("db"), Some(1), create("db", 1), &[remove]);
    let start = chain.add(Some("db"), Some(1), start("db", 1), &[create]);
    last.push(chain.add(Some("db"), Some(1), ready("db", 1), &[start]));
    let release =
        Release { generation: 7, commits: vec![CommitId::new(COMMIT)], ..Release::default() };
    chain.add(None, None, Op::Record { release }, &last);
    chain.steps
}

fn hook(slot: u32) -> Op {
    let hook = Hook {
        command: vec!["notify".into(), SECRET.into()],
        image: None,
        user: None,
        privileged: None,
        working_dir: None,
        env: BTreeMap::from([("TOKEN".to_owned(), Some(SECRET.to_owned()))]),
        per_replica: None,
    };
    Op::RunHook { container: container("web", slot, "old"), hook, moment: HookMoment::PreStop }
}

fn switch_and_drain() -> (Op, Op) {
    let key = BackendKey { stack: name("shop"), service: ServiceName::new("web"), port: 8080 };
    let servers = |end: &str, first: u16| -> BTreeMap<String, Endpoint> {
        (1..=4u16)
            .map(|slot| {
                let address = "127.0.0.1".parse().expect("an address");
                let name = container("web", u32::from(slot), end);
                (name, Endpoint { address, port: first + slot })
            })
            .collect()
    };
    let backend = |servers| Backend { servers, ..Backend::default() };
    let change = BackendChange {
        from: Some(backend(servers("old", 20_000))),
        to: Some(backend(servers("new", 20_004))),
    };
    let switch = Op::Switch {
        place: place("edge-1"),
        change: RouteChange { set: BTreeMap::from([(key.clone(), change)]) },
    };
    let drained = Op::AwaitDrained {
        place: place("edge-1"),
        servers: BTreeMap::from([(key, servers("old", 20_000))]),
        within: Nanos(30_000_000_000),
    };
    (switch, drained)
}

/// A stack that goes with its network and its data, a host that is silent.
pub(in crate::ui) fn destroyed() -> Plan {
    let mut plan = nothing();
    plan.commit = None;
    plan.stacks.clear();
    let mut web = change(ResourceKind::Service, "web", Action::Remove, Cause::Gone);
    web.count = (2, 0);
    web.replicas = (1..=2)
        .map(|slot| ReplicaChange {
            action: Action::Remove,
            cause: Cause::Gone,
            new: None,
            ..replaced("web", slot, Action::Remove)
        })
        .collect();
    let changes = vec![
        web,
        change(ResourceKind::Network, "default", Action::Remove, Cause::Gone),
        change(ResourceKind::Volume, "data", Action::Remove, Cause::Gone),
    ];
    plan.stacks.insert(name("shop"), StackPlan { changes, ..StackPlan::default() });
    plan.blind = vec![Blind { what: "host web-2".into(), message: "connection refused".into() }];
    let mut chain = Chain { stack: name("shop"), steps: Vec::new() };
    let volume = Op::RemoveVolume { name: "acme-production-shop-data".into() };
    chain.add(None, None, volume, &[]);
    plan.steps = chain.steps;
    plan
}
