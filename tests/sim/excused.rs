//! What the eye on the world excuses, and that it sees the same where the excuse does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gitdeploy::model::{BackendKey, Endpoint, HostName, ProxyPlace, RoutingTable};
use gitdeploy::ports::{LeaseKey, Taken};
use gitdeploy::sim::{Fault, Rule, Run, World};
use tokio::time::sleep;

use super::checker::{broken, local, reads, replica, served, stops, takes};
use super::commit::{name, owner};
use super::rounds::deployed;
use super::scenario::{all, edge};

const MOMENT: Duration = Duration::from_millis(10);

/// Anna holds the lease of a host, which comes back without it after `before`; bert takes it, and
/// after `after` she acts. What is wrong with that.
async fn forgotten(lease: u64, before: Duration, after: Duration) -> String {
    let world = served().await;
    let host = HostName::from(local());
    let old = world.remember(&host);
    let (late, other) = (world.run(Fault::None), world.run(Fault::None));
    takes(&late, "anna", lease).await;
    sleep(before).await;
    world.bring_back(&host, old);
    takes(&other, "bert", 30).await;
    sleep(after).await;
    stops(&late, &replica(&world)).await;
    broken(&world, Rule::OneAtATime)
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_restored_host_forgot_is_believed_in_for_a_moment() {
    assert_eq!(forgotten(30, MOMENT, MOMENT).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_restored_host_forgot_is_not_believed_in_for_long() {
    let words = forgotten(30, MOMENT, Duration::from_secs(2)).await;
    assert!(words.contains("while bert holds its lease"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_had_run_out_before_its_host_was_restored_is_not_believed_in() {
    let words = forgotten(1, Duration::from_secs(2), MOMENT).await;
    assert!(words.contains("while bert holds its lease"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn whoever_never_had_the_lease_may_not_act_on_a_restored_host_either() {
    let world = served().await;
    let host = HostName::from(local());
    let old = world.remember(&host);
    takes(&world.run(Fault::None), "anna", 30).await;
    world.bring_back(&host, old);
    stops(&world.run(Fault::None), &replica(&world)).await;
    let words = broken(&world, Rule::OneAtATime);
    assert!(words.contains("without having taken its lease"), "{words}");
}

async fn looks(run: &Run) {
    let file = run.ports().proxies[&edge()].read().await;
    file.expect("the proxy answers");
}

/// Makes the proxy follow its file; says who is sent nowhere by that.
async fn follows(world: &World, run: &Run) -> String {
    sleep(MOMENT).await;
    let proxy = run.ports().proxies[&edge()].clone();
    proxy.activate(&RoutingTable::default()).await.expect("the proxy answers");
    broken(world, Rule::EnoughServe)
}

const NOWHERE: &str = "edge on local sends shop.web.8080 to 0 servers, and 2 are promised";

#[tokio::test(start_paused = true)]
async fn a_run_cannot_know_that_a_file_was_taken_away_since_it_looked() {
    let world = served().await;
    let run = world.run(Fault::None);
    looks(&run).await;
    sleep(MOMENT).await;
    world.lose_file(&edge());
    assert_eq!(follows(&world, &run).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_seen_that_a_file_is_gone_may_not_have_it_followed() {
    let world = served().await;
    let run = world.run(Fault::None);
    looks(&run).await;
    sleep(MOMENT).await;
    world.lose_file(&edge());
    sleep(MOMENT).await;
    looks(&run).await;
    let words = follows(&world, &run).await;
    assert!(words.contains(NOWHERE), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_looked_at_a_file_may_not_have_it_followed_when_it_is_gone() {
    let world = served().await;
    looks(&world.run(Fault::None)).await;
    sleep(MOMENT).await;
    world.lose_file(&edge());
    let words = follows(&world, &world.run(Fault::None)).await;
    assert!(words.contains(NOWHERE), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_nobody_took_away_by_hand_may_not_be_gone() {
    let world = served().await;
    let run = world.run(Fault::None);
    looks(&run).await;
    sleep(MOMENT).await;
    world.with_proxy(&edge(), |proxy| proxy.file = None);
    let words = follows(&world, &run).await;
    assert!(words.contains(NOWHERE), "{words}");
}

/// Another replica of the first one's service that nobody sends to: where it is reached, and the
/// proxy's file with it in place of the first one.
fn twin(world: &World) -> (Endpoint, String) {
    let first = replica(world);
    let at = Endpoint { port: 29_999, ..endpoint(world, &first) };
    let (was, file) = (
        endpoint(world, &first),
        world.with_proxy(&edge(), |proxy| proxy.file.clone()).expect("a file"),
    );
    world.with_host(&local().into(), |host| {
        let mut twin = host.containers[&first].clone();
        twin.id = "twin".into();
        twin.address = "172.18.0.99".parse().expect("an address");
        twin.published = BTreeSet::from([at.clone()]);
        host.containers.insert("twin".into(), twin);
    });
    let file = file.replace(&was.to_string(), &at.to_string());
    (at, file)
}

fn endpoint(world: &World, container: &str) -> Endpoint {
    world.with_host(&local().into(), |host| {
        let published = &host.containers[container].published;
        published.first().cloned().expect("a port")
    })
}

/// A run asks whether the proxy has let go of an address.
async fn drains(world: &World, at: &Endpoint) {
    let key: BackendKey = "shop.web.8080".parse().expect("a backend");
    let servers = BTreeMap::from([(key, BTreeMap::from([("twin".to_owned(), at.clone())]))]);
    let proxy = world.run(Fault::None).ports().proxies[&edge()].clone();
    let draining = proxy.draining(&servers).await.expect("it answers");
    assert!(draining.is_over(), "{draining:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_lets_go_of_whom_nobody_ever_sent_to() {
    let world = served().await;
    let (at, file) = twin(&world);
    drains(&world, &at).await;
    reads(&world, Some(file));
    assert_eq!(broken(&world, Rule::NeverAgain), "");
}

#[tokio::test(start_paused = true)]
async fn whom_somebody_sent_to_once_is_let_go_of() {
    let world = served().await;
    let (at, file) = twin(&world);
    let before = reads(&world, Some(file.clone()));
    sleep(Duration::from_secs(60)).await;
    reads(&world, before);
    sleep(Duration::from_secs(60)).await;
    drains(&world, &at).await;
    reads(&world, Some(file));
    let words = broken(&world, Rule::NeverAgain);
    assert!(words.contains("edge on local sends again to web.1"), "{words}");
}

/// The proxy on the host `a` lets go of a replica on `b`; then a host comes back as it was, and the
/// replica is stopped. What of its connections is cut.
async fn cut_after_the_return_of(back: &str) -> String {
    let scenario = all().into_iter().find(|it| it.name == "three hosts").expect("it is there");
    let world = deployed(&scenario, &scenario.inventory()).await;
    let (back, on) = (HostName::from(name(back)), HostName::from(name("b")));
    let old = world.remember(&back);
    let place = ProxyPlace { proxy: name("edge").into(), host: name("a").into() };
    world.with_proxy(&place, |proxy| proxy.file = None);
    world.reload(&place);
    world.bring_back(&back, old);
    let run = world.run(Fault::None);
    let key = LeaseKey::Stack(owner(), name("shop").into());
    let leases = run.ports().leases[&on].clone();
    let taken = leases.take(&key, "anna", "a test", Duration::from_secs(30)).await;
    assert!(matches!(taken, Ok(Taken::Ours(_))), "{taken:?}");
    let replica = world.with_host(&on, |host| {
        let ours = host.containers.iter().find(|(_, it)| it.identity.owner == owner());
        ours.map(|(name, _)| name.clone()).expect("a replica")
    });
    let engine = run.ports().engines[&on].clone();
    engine.stop(&replica, None, Duration::from_secs(10)).await.expect("it runs");
    let words = broken(&world, Rule::LetGoFirst);
    words.lines().filter(|it| it.starts_with("a connection of edge")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_a_proxy_end_with_its_host() {
    assert_eq!(cut_after_the_return_of("a").await, "");
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_a_proxy_outlive_any_other_host() {
    let words = cut_after_the_return_of("c").await;
    assert!(words.contains("a connection of edge to acme-shop-web-"), "{words}");
}
