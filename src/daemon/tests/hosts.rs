//! Hosts that are silent, and rounds that outlive their source.

use super::*;
use crate::model::Millis;

const TWO: &str = "hosts:\n  web-1: {docker: 'ssh://web-1'}\n  web-2: {docker: 'ssh://web-2'}\n\
                   unreachable: skip\n";

/// The stack `web` on the first of two hosts, deployed; the second is silent from then on.
async fn with_a_silent_host(case: &Case) -> (Running, CommitId) {
    case.world.host(&name("web-2").into());
    let commit = case.remote.push_to(TWO, &[("web", &on_first("app:1"))]);
    let mut daemon = case.start();
    daemon.synced("web", &commit).await;
    case.world.with_host(&name("web-2").into(), |host| host.is_silent = true);
    (daemon, commit)
}

fn on_first(image: &str) -> String {
    format!(
        "{}    deploy: {{placement: {{constraints: [node.hostname == web-1]}}}}\n",
        service(image)
    )
}

fn is_up(picture: &Picture, host: &str) -> bool {
    picture.sources[&name("shop")].hosts[&HostName::from(name(host))].is_up
}

#[test]
fn a_silent_host_costs_its_deadline_once() {
    played(async |case| {
        let (mut daemon, _) = with_a_silent_host(&case).await;
        let began = case.world.now();
        let next = case.remote.push_to(TWO, &[("web", &on_first("app:2"))]);
        daemon.fetch().await;
        daemon.synced("web", &next).await;
        let first = case.world.now() - began;
        assert!(!is_up(&daemon.hub.picture.borrow(), "web-2"));
        let began = case.world.now();
        let next = case.remote.push_to(TWO, &[("web", &on_first("app:1"))]);
        daemon.fetch().await;
        daemon.synced("web", &next).await;
        let second = case.world.now() - began;
        let deadline: Millis = 30_000;
        assert!((deadline..2 * deadline).contains(&first), "{first} ms");
        assert!(second < deadline, "{second} ms");
        daemon.stop().await;
    });
}

#[test]
fn a_silent_host_that_answers_again_is_noticed_within_a_minute_and_its_deadline() {
    played(async |case| {
        let (mut daemon, _) = with_a_silent_host(&case).await;
        let next = case.remote.push_to(TWO, &[("web", &on_first("app:2"))]);
        daemon.fetch().await;
        daemon.synced("web", &next).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        case.world.with_host(&name("web-2").into(), |host| host.is_silent = false);
        let back = case.world.now();
        daemon.until("up", |picture| is_up(picture, "web-2")).await;
        let took = case.world.now() - back;
        assert!(took <= 60_000 + 30_000, "{took} ms");
        daemon.stop().await;
    });
}

#[test]
fn a_daemon_waits_for_the_round_of_a_source_that_was_taken_out_of_its_rules() {
    played(async |case| {
        let first = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &first).await;
        case.remote.push(&[("web", &service("app:2"))]);
        daemon.fetch().await;
        daemon
            .until("a round", |picture| {
                view_of(picture, "web")
                    .is_some_and(|it| it.running.as_ref().is_some_and(|round| round.done > 0))
            })
            .await;
        let other = Rules::of(name("blog"), case.source(StackRules::default()));
        daemon.commands.send(Command::Reload(Box::new(other))).await.expect("it runs");
        daemon.until("other rules", |it| !it.sources.contains_key(&name("shop"))).await;
        let told = Rc::clone(&daemon.told);
        daemon.stop().await;
        assert!(told.borrow().iter().any(|line| line.starts_with("Ended")), "{told:#?}");
        let host = HostName::from(name("web-1"));
        case.world.with_host(&host, |host| assert!(host.leases.is_empty()));
    });
}
