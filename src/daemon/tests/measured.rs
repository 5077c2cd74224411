//! What is counted: questions to repositories, and why a round went back.

use super::*;
use crate::sync::Measured;

#[test]
fn of_a_round_that_went_back_it_is_told_which_kind_of_step_failed() {
    played(async |case| {
        let good = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &good).await;
        case.remote.push(&[("web", &service("bad:1"))]);
        daemon.fetch().await;
        daemon.waits("web", "when something changes").await;
        let told = daemon.told.borrow().clone();
        let ends: Vec<&String> = told.iter().filter(|it| it.starts_with("Ended")).collect();
        assert!(ends[0].contains("setback: None"), "{}", ends[0]);
        assert!(ends[1].contains("setback: Some(Readiness)"), "{}", ends[1]);
        daemon.stop().await;
    });
}

#[test]
fn a_repository_that_has_nothing_new_is_asked_and_not_fetched() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let source = case.source(StackRules::default());
        let repository = format!("file://{}", case.remote.path().display());
        let mut daemon = case.start_with(Source { repository, ..source });
        daemon.synced("web", &commit).await;
        for _ in 0..2 {
            let before = asked(&daemon).lists.done.count;
            daemon.fetch().await;
            daemon.until("it was asked", |it| measured(it).lists.done.count > before).await;
        }
        let commit = case.remote.push(&[("web", &service("app:2"))]);
        daemon.fetch().await;
        daemon.synced("web", &commit).await;
        let Measured { opens, lists, fetches, .. } = asked(&daemon);
        assert_eq!([opens, lists, fetches].map(|it| it.done.count), [0, 2, 2]);
        assert_eq!([opens, lists, fetches].map(|it| it.failed.count), [0, 0, 0]);
        daemon.stop().await;
    });
}

fn asked(daemon: &Running) -> Measured {
    measured(&daemon.hub.picture.borrow())
}

fn measured(picture: &Picture) -> Measured {
    picture.sources.get(&name("shop")).map(|source| source.measured).unwrap_or_default()
}
