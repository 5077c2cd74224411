//! Real proxies follow their file: each kind as a process of the host and in a container.

pub(crate) mod stage;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use gitdeploy::model::{RoutingTable, Rule};
use gitdeploy::ports::{Activation, Applied, PortError};
use gitdeploy::proxy::{Managed, read};
use gitdeploy::settings::ProxyKind;

use stage::{HOST, Load, Place, Replica, Scheme, Stage, key, owner, table};

const ALL: [(ProxyKind, Place); 4] = [
    (ProxyKind::Nginx, Place::OnHost),
    (ProxyKind::Nginx, Place::InContainer),
    (ProxyKind::Haproxy, Place::OnHost),
    (ProxyKind::Haproxy, Place::InContainer),
];

/// From two replicas to two others under load; the old ones end as soon as they are let go.
async fn exchange(kind: ProxyKind, place: Place) {
    let stage = Stage::start(kind, place);
    let at = stage.replicas_at().await;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(Replica::start);
    let old = table(1, at, &[&a, &b]);
    assert_eq!(stage.observe().await.obstacles, Vec::<String>::new());
    assert_eq!(stage.switch(&old).await, Ok(Activation::Reload));
    let load = Load::start(stage.address);
    tokio::time::sleep(Duration::from_millis(300)).await;

    let activation = stage.switch(&table(2, at, &[&c, &d])).await;
    let rule = Rule { host: HOST.into(), path: "/".into() };
    let proof = stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
    assert!([c.port, d.port].contains(&proof.port), "{proof} is an old one");
    let gone = BTreeMap::from([(key(), old.backends[&key()].servers.clone())]);
    let_go(&stage, &gone).await;
    assert!(!stage.files().contains(".close"), "the flag stays: {}", stage.files());
    let served = a.served() + b.served();
    drop((a, b));
    stage.proxy.forget(&gone).await.expect("forgotten");
    tokio::time::sleep(Duration::from_millis(500)).await;

    let (answered, lost) = load.finish();
    assert_eq!(lost, Vec::<String>::new(), "of {answered}");
    assert!(served > 10 && c.served() + d.served() > 10, "{answered} requests were answered");
    let expected = match kind {
        ProxyKind::Nginx => Activation::Reload,
        ProxyKind::Haproxy => Activation::Runtime,
    };
    assert_eq!(activation, Ok(expected));
    let state = stage.observe().await;
    assert_eq!((state.serving, state.obstacles), (Some(2), Vec::new()));
    if let Some(servers) = state.servers {
        let names: Vec<&String> = servers[&key().to_string()].keys().collect();
        assert_eq!(names, ["c", "d"]);
    }
    assert_eq!(stage.proxy.forget(&gone).await, Ok(Applied::AlreadyTrue));
}

type Gone = BTreeMap<gitdeploy::model::BackendKey, BTreeMap<String, gitdeploy::model::Endpoint>>;

async fn let_go(stage: &Stage, gone: &Gone) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let draining = stage.proxy.draining(gone).await.expect("an answer");
        if draining.is_over() {
            return;
        }
        assert!(Instant::now() < end, "{draining:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_on_the_host_exchanges_servers_without_a_lost_request() {
    exchange(ProxyKind::Nginx, Place::OnHost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_in_a_container_exchanges_servers_without_a_lost_request() {
    exchange(ProxyKind::Nginx, Place::InContainer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_on_the_host_exchanges_servers_without_a_lost_request() {
    exchange(ProxyKind::Haproxy, Place::OnHost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_in_a_container_exchanges_servers_without_a_lost_request() {
    exchange(ProxyKind::Haproxy, Place::InContainer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_candidate_is_refused_and_leaves_no_trace() {
    for (kind, place) in ALL {
        let stage = Stage::start(kind, place);
        let at = stage.replicas_at().await;
        let replica = Replica::start("a");
        stage.switch(&table(1, at, &[&replica])).await.expect("switched");
        let (files, text) = (stage.files(), stage.proxy.read().await.expect("read"));
        let bad = text.clone().expect("a file") + "\nnonsense here;\n";
        let refused = stage.proxy.test(&bad).await.expect_err("refused").to_string();
        assert!(refused.contains("nonsense") && refused.contains("gitdeploy."), "{refused}");
        assert!(!refused.contains("check"), "names the stand-in: {refused}");
        assert_eq!((stage.files(), stage.proxy.read().await.expect("read")), (files, text));
        assert_eq!(stage.proxy.confirm(1).await, Ok(true));
    }
}

/// A file that was good while the replicas became ready, and is not beside one that came since.
#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_found_good_ahead_is_refused_when_it_is_not_good_any_more() {
    let stage = Stage::start(ProxyKind::Nginx, Place::OnHost);
    let at = stage.replicas_at().await;
    let replica = Replica::start("a");
    stage.switch(&table(1, at, &[&replica])).await.expect("switched");
    let (files, mut next) = (stage.files(), table(2, at, &[&replica]));
    let mut other = next.backends[&key()].clone();
    other.rules = [Rule { host: "other.example.com".into(), path: "/".into() }].into();
    next.backends.insert("shop.other.8080".parse().expect("a key"), other);
    let text = stage.render(&next).await;
    stage.proxy.check_ahead(&text).await.expect("an answer");
    assert_eq!(stage.files(), files);

    let upstream =
        text.lines().find(|line| line.starts_with("upstream ") && line.contains("other"));
    let upstream = upstream.expect("the other backend");
    stage.write_beside("zz-since", &format!("{upstream} server 127.0.0.1:9; }}\n"));
    let refused = stage.proxy.test(&text).await.expect_err("refused").to_string();
    assert!(refused.contains("duplicate upstream"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_found_before_anything_changes() {
    for kind in [ProxyKind::Nginx, ProxyKind::Haproxy] {
        let stage = Stage::start(kind, Place::OnHost);
        let _squatter = TcpListener::bind(stage.address).expect("a listener");
        let text = stage.render(&RoutingTable { generation: 1, ..RoutingTable::default() }).await;
        let refused = stage.proxy.test(&text).await.expect_err("refused").to_string();
        assert!(refused.contains("is taken by another process"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_cut_off_after_the_swap_can_be_finished() {
    for (kind, place) in ALL {
        let stage = Stage::start(kind, place);
        let at = stage.replicas_at().await;
        let (a, b) = (Replica::start("a"), Replica::start("b"));
        stage.switch(&table(1, at, &[&a])).await.expect("switched");
        let next = table(2, at, &[&b]);
        let (before, text) = (stage.proxy.read().await.expect("read"), stage.render(&next).await);
        stage.proxy.swap(before.as_deref(), Some(&text)).await.expect("swapped");

        let state = stage.observe().await;
        assert_eq!((state.serving, state.table.as_ref()), (Some(1), Some(&next)));
        assert_eq!(stage.proxy.confirm(2).await, Ok(false));
        stage.proxy.activate(&next).await.expect("activated");
        stage.confirmed(2).await;
        assert_eq!(stage.proxy.activate(&next).await, Ok(Activation::AlreadyTrue));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_edited_by_hand_is_seen_and_not_overwritten_unseen() {
    for (kind, place) in ALL {
        let stage = Stage::start(kind, place);
        let at = stage.replicas_at().await;
        let replica = Replica::start("a");
        stage.switch(&table(1, at, &[&replica])).await.expect("switched");
        let written = stage.proxy.read().await.expect("read");
        stage.edit(&(written.clone().expect("a file") + "# by hand\n"));
        let file = stage.observe().await.file;
        let managed = read(&owner(), file.as_deref());
        assert!(matches!(managed, Managed::Ours { edited: true, .. }), "{managed:?}");
        let swapped = stage.proxy.swap(written.as_deref(), Some("x")).await;
        assert!(matches!(swapped, Err(PortError::Moved(_))), "{swapped:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_broken_by_hand_can_be_replaced() {
    for (kind, place) in ALL {
        let stage = Stage::start(kind, place);
        let at = stage.replicas_at().await;
        let (a, b) = (Replica::start("a"), Replica::start("b"));
        stage.switch(&table(1, at, &[&a])).await.expect("switched");
        let written = stage.proxy.read().await.expect("read").expect("a file");
        stage.edit(&(written + "nonsense here;\n"));
        assert_eq!(stage.observe().await.obstacles, Vec::<String>::new());
        assert_eq!(stage.switch(&table(2, at, &[&b])).await, Ok(Activation::Reload));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_reads_its_file_again_for_new_rules_without_a_lost_request() {
    let stage = Stage::start(ProxyKind::Haproxy, Place::OnHost);
    let at = stage.replicas_at().await;
    let (a, b) = (Replica::start("a"), Replica::start("b"));
    stage.switch(&table(1, at, &[&a])).await.expect("switched");
    let load = Load::start(stage.address);
    let mut next = table(2, at, &[&b]);
    let rule = Rule { host: "other.example.com".into(), path: "/".into() };
    next.backends.get_mut(&key()).expect("a backend").rules.insert(rule.clone());
    assert_eq!(stage.switch(&next).await, Ok(Activation::Reload));
    let_go(&stage, &BTreeMap::new()).await;
    drop(a);
    let proof = stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
    assert_eq!(proof.port, b.port);
    let (answered, lost) = load.finish();
    assert_eq!(lost, Vec::<String>::new(), "of {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_haproxy_does_not_find_up_is_taken_back_out() {
    let stage = Stage::start(ProxyKind::Haproxy, Place::OnHost);
    let at = stage.replicas_at().await;
    let (a, mut deaf) = (Replica::start("a"), Replica::start("deaf"));
    stage.switch(&table(1, at, &[&a])).await.expect("switched");
    deaf.port = stage::free_port();
    let refused = stage.switch(&table(2, at, &[&deaf])).await.expect_err("refused").to_string();
    assert!(refused.contains("shop.web.8080/deaf"), "{refused}");
    let state = stage.observe().await;
    let servers = &state.servers.expect("servers")[&key().to_string()];
    assert!(servers["a"].takes_requests && !servers.contains_key("deaf"), "{servers:?}");
    assert_eq!(state.serving, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_changes_servers_without_a_check_at_run_time() {
    let stage = Stage::start(ProxyKind::Haproxy, Place::OnHost);
    let at = stage.replicas_at().await;
    let (a, b) = (Replica::start("a"), Replica::start("b"));
    let [first, second] = [(1, &a), (2, &b)].map(|(generation, replica)| {
        let mut table = table(generation, at, &[replica]);
        table.backends.get_mut(&key()).expect("a backend").check = None;
        table
    });
    stage.switch(&first).await.expect("switched");
    assert_eq!(stage.switch(&second).await, Ok(Activation::Runtime));
    let rule = Rule { host: HOST.into(), path: "/".into() };
    let proof = stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
    assert_eq!(proof.port, b.port);
    // Back again, to a server that is there and drained.
    assert_eq!(
        stage.switch(&RoutingTable { generation: 3, ..first }).await,
        Ok(Activation::Runtime)
    );
    let proof = stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
    assert_eq!(proof.port, a.port);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_only_speaks_tls_is_confirmed_and_proven() {
    for kind in [ProxyKind::Nginx, ProxyKind::Haproxy] {
        let stage = Stage::with(kind, Place::OnHost, Scheme::Tls);
        let at = stage.replicas_at().await;
        let replica = Replica::start("a");
        stage.switch(&table(1, at, &[&replica])).await.expect("switched");
        let rule = Rule { host: HOST.into(), path: "/".into() };
        let proof = stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
        assert_eq!(proof.port, replica.port);
    }
}

#[tokio::test]
async fn another_managed_file_of_the_same_proxy_stands_in_the_way() {
    for kind in [ProxyKind::Nginx, ProxyKind::Haproxy] {
        let stage = Stage::start(kind, Place::OnHost);
        let text = stage.render(&RoutingTable::default()).await;
        let own = text.lines().find(|line| line.starts_with("# owner: ")).expect("an owner");
        stage.write_beside("zz-other", &text.replace(own, "# owner: beta/staging"));
        let obstacles = stage.observe().await.obstacles;
        assert_eq!(obstacles.len(), 1, "{kind:?}: {obstacles:?}");
        assert!(obstacles[0].contains("the managed file of beta/staging"), "{obstacles:?}");
    }
}

/// A switch that was undone by half: its file is gone and its generation still serves.
#[tokio::test]
async fn nginx_reads_a_new_file_although_one_of_its_generation_serves() {
    let stage = Stage::start(ProxyKind::Nginx, Place::OnHost);
    let at = stage.replicas_at().await;
    let [a, b] = ["a", "b"].map(Replica::start);
    stage.switch(&table(1, at, &[&a])).await.expect("switched");
    let first = stage.proxy.read().await.expect("an answer");
    stage.switch(&table(2, at, &[&a])).await.expect("switched");
    let second = stage.proxy.read().await.expect("an answer");
    stage.proxy.swap(second.as_deref(), first.as_deref()).await.expect("swapped back");

    assert_eq!(stage.switch(&table(2, at, &[&b])).await, Ok(Activation::Reload));
    // Old workers of the same generation answer until the new ones do, so that only the proof counts.
    let rule = Rule { host: HOST.into(), path: "/".into() };
    let proof = async || stage.proxy.prove(&rule).await.expect("an answer").expect("a server");
    for _ in 0..100 {
        if proof().await.port == b.port {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a request is still answered by the old server");
}
