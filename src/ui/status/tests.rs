use std::collections::BTreeMap;

use serde_json::json as value;

use super::*;
use crate::model::{
    Action, Backend, BackendKey, ContainerState, Endpoint, Fault, ProxyState, RoutingTable,
    RuntimeServer, ServiceName,
};
use crate::ui::plan::sample::{SECRET, identity, name, place, usual};

fn container(service: &str, slot: u32, status: ContainerStatus) -> LiveContainer {
    LiveContainer {
        id: "f00".into(),
        name: format!("acme-shop-{service}-{slot}-old"),
        identity: identity(service, slot),
        state: ContainerState { status, started_at: 0, exit_code: 137, restarts: 0, health: None },
        image: "sha256:aa".into(),
        config: value!({"Image": "registry/shop:1.4.1", "Env": [format!("PASSWORD={SECRET}")]})
            .into(),
        addresses: crate::model::Addresses::default(),
    }
}

/// Two replicas behind two proxies, a database, a host and a proxy that are silent.
fn observed() -> Observed {
    let mut healthy = container("web", 1, ContainerStatus::Running);
    healthy.state.health = Some(Health::Healthy);
    let mut ill = container("web", 2, ContainerStatus::Running);
    ill.state.health = Some(Health::Unhealthy(SECRET.into()));
    ill.state.restarts = 3;
    let mut db = container("db", 1, ContainerStatus::Exited);
    db.config["HostConfig"] = value!({"PortBindings": {"5432/tcp": [{"HostPort": "5432"}]}});
    let containers = [healthy, ill, db].map(|it| (it.name.clone(), it)).into();
    let host = HostState { containers, ..HostState::default() };
    let fault = || Fault::silent("connection refused");
    let routed = [("acme-shop-web-1-old", 20_000), ("acme-shop-web-2-old", 20_001)];
    let only_first = &routed[..1];
    let mut first = proxy(&routed);
    let draining = RuntimeServer { address: "127.0.0.1:20001".into(), takes_requests: false };
    let servers = BTreeMap::from([("acme-shop-web-2-old".to_owned(), draining)]);
    first.servers = Some(BTreeMap::from([("shop.web.8080".to_owned(), servers)]));
    let mut second = proxy(only_first);
    second.serving = Some(4);
    second.obstacles = vec!["the file was edited\u{1b}[2J".into()];
    Observed {
        at: 0,
        hosts: BTreeMap::from([(name("web-1"), Ok(host)), (name("web-2"), Err(fault()))]),
        proxies: BTreeMap::from([
            (place("edge-1"), Ok(first)),
            (place("edge-2"), Ok(second)),
            (place("edge-3"), Err(fault())),
        ]),
        took: BTreeMap::new(),
    }
}

fn proxy(servers: &[(&str, u16)]) -> ProxyState {
    let endpoint = |port| Endpoint { address: "127.0.0.1".parse().expect("an address"), port };
    let servers =
        servers.iter().map(|(name, port)| ((*name).to_owned(), endpoint(*port))).collect();
    let key = BackendKey { stack: name("shop"), service: ServiceName::new("web"), port: 8080 };
    let backends = BTreeMap::from([(key, Backend { servers, ..Backend::default() })]);
    let table = RoutingTable { generation: 5, backends, ..RoutingTable::default() };
    ProxyState { table: Some(table), serving: Some(5), ..ProxyState::default() }
}

#[test]
fn the_table_says_what_is_there_and_what_is_not_as_it_should_be() {
    let status = Status::of(&observed(), Some(&usual()));
    insta::assert_snapshot!(text(&status, false), @r"
    STACK  SERVICE  SLOT  HOST   CONTAINER            PORT   IMAGE                STATE                                   ROUTED              COMMIT   DRIFT
    shop   db       1     web-1  acme-shop-db-1-old   5432   registry/shop:1.4.1  exited (137)                                                3f2a1c9  changed in the commit
    shop   web      1     web-1  acme-shop-web-1-old  20000  registry/shop:1.4.1  running (healthy)                       edge 2/3            3f2a1c9  changed in the commit
    shop   web      2     web-1  acme-shop-web-2-old  20001  registry/shop:1.4.1  running (unhealthy), restarted 3 times  draining: edge 1/3  3f2a1c9  changed in the commit
    proxy edge on edge-2: the file was edited\u{1b}[2J
    proxy edge on edge-2: its file is of generation 5, it serves 4
    host web-2 was not seen: connection refused
    proxy edge on edge-3 was not seen: connection refused

    3 containers, 2 not well, 3 not as the commit wants.
    ");
}

#[test]
fn without_a_plan_nothing_is_said_about_drift() {
    let status = Status::of(&observed(), None);
    assert!(status.replicas.iter().all(|it| it.drift.is_empty()));
    assert!(text(&status, false).ends_with("not compared with the commit.\n"));
}

#[test]
fn a_replica_that_is_not_there_has_a_row() {
    let mut plan = usual();
    let shop = plan.stacks.get_mut("shop").expect("the stack");
    let missing = &mut shop.changes[0].replicas[3];
    (missing.old, missing.action, missing.cause) = (None, Action::Create, Cause::Missing);
    let status = Status::of(&observed(), Some(&plan));
    let row = status.replicas.iter().find(|it| it.container.is_none()).expect("a row");
    assert_eq!((row.slot, row.state.as_str(), row.is_well), (4, "missing", false));
    assert_eq!(row.drift, ["a replica is missing"]);
}

#[test]
fn nothing_at_all_is_said_in_words() {
    let status = Status::of(&Observed::default(), None);
    assert!(text(&status, true).starts_with("Nothing of this project is on the hosts"));
    assert!(status.is_well());
}

#[test]
fn where_no_host_answered_nothing_is_called_right() {
    let mut observed = observed();
    let fault = Fault::silent("connection refused");
    observed.hosts.values_mut().for_each(|state| *state = Err(fault.clone()));
    observed.proxies.clear();
    let mut plan = usual();
    plan.stacks.clear();
    let status = Status::of(&observed, Some(&plan));
    insta::assert_snapshot!(text(&status, false), @r"
    host web-1 was not seen: connection refused
    host web-2 was not seen: connection refused

    No host was seen: nothing is known about what is there.
    ");
}

#[test]
fn what_was_seen_speaks_for_nothing_else() {
    let mut plan = usual();
    (plan.stacks, plan.files) = Default::default();
    let status = Status::of(&observed(), Some(&plan));
    assert!(text(&status, false).ends_with("as the commit wants it as far as could be seen.\n"));
}

#[test]
fn neither_form_shows_a_secret_or_a_control_character() {
    let status = Status::of(&observed(), Some(&usual()));
    for page in [text(&status, false), json(&status).to_string()] {
        assert!(!page.contains(SECRET), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
    }
}

#[test]
fn programs_read_the_same_as_people() {
    let value = json(&Status::of(&observed(), Some(&usual())));
    insta::assert_snapshot!(value["replicas"][2], @r#"
    {"stack":"shop","service":"web","slot":2,"host":"web-1","container":"acme-shop-web-2-old","ports":[20001],"image":"registry/shop:1.4.1","state":"running (unhealthy), restarted 3 times","well":false,"routed":[],"draining":["edge 1/3"],"commit":"3f2a1c9","drift":["changed in the commit"]}
    "#);
    assert_eq!(value["complete"], false);
}

#[test]
fn a_stack_that_was_not_compared_says_why() {
    let why = BTreeMap::from([(name("shop"), "stacks/shop/compose.yaml:3:5: broken".to_owned())]);
    let status = Status::compared(&observed(), &[], why);
    let page = text(&status, false);
    let line = "shop was not compared with the commit: stacks/shop/compose.yaml:3:5: broken\n";
    assert!(page.contains(line), "{page}");
    assert_eq!(json(&status)["uncompared"][0]["stack"], "shop");
}

#[test]
fn a_host_that_is_silent_is_named_below_the_leases_of_the_others() {
    let silent = [("web-2".to_owned(), "no answer within 30 s".to_owned())];
    assert_eq!(
        locks_text(&[], &silent),
        "No host that answered keeps a lease.\nhost web-2 was not seen: no answer within 30 s\n"
    );
    assert_eq!(locks_json(&[], &silent)["complete"], false);
}

#[test]
fn leases_are_a_table() {
    let lock = |id: &str, is_expired| LockLine {
        id: id.into(),
        what: "stack shop".into(),
        holder: "ann@laptop (4711)\n".into(),
        purpose: "3f2a1c9".into(),
        since: "2026-11-21 07:00:00".into(),
        until: "2026-11-21 07:00:30".into(),
        is_expired,
        host: "web-1".into(),
    };
    let locks = [lock("ab12", false), lock("cd34", true)];
    insta::assert_snapshot!(locks_text(&locks, &[]), @r"
    ID    WHAT        HOST   HOLDER                  FOR      SINCE                UNTIL
    ab12  stack shop  web-1  ann@laptop (4711)\u{a}  3f2a1c9  2026-11-21 07:00:00  2026-11-21 07:00:30
    cd34  stack shop  web-1  ann@laptop (4711)\u{a}  3f2a1c9  2026-11-21 07:00:00  expired 2026-11-21 07:00:30
    ");
    assert_eq!(locks_json(&locks, &[])["locks"][1]["expired"], true);
    assert_eq!(locks_text(&[], &[]), "Nobody holds a lease.\n");
}

#[test]
fn the_silence_of_a_host_is_told_once_and_that_of_a_proxy_alone_is_told() {
    let mut observed = observed();
    let fault = Fault::silent("connection refused");
    observed.proxies.insert(place("web-2"), Err(fault.clone()));
    observed.proxies.insert(place("web-1"), Err(fault));
    let unseen: Vec<String> =
        Status::of(&observed, None).unseen.into_iter().map(|(what, _)| what).collect();
    assert_eq!(unseen, ["host web-2", "proxy edge on edge-3", "proxy edge on web-1"]);
}
