//! What every store of leases does. One behaviour a function; its name says it.

use std::time::Duration;

use gitdeploy::ports::{Held, Lease, LeaseKey, PortError, Taken};

use super::{Subject, until};

const LONG: Duration = Duration::from_secs(60);

fn key(subject: &impl Subject) -> LeaseKey {
    LeaseKey::Stack(subject.owner().clone(), subject.stack().clone())
}

async fn take(subject: &impl Subject, holder: &str, time: Duration) -> Taken {
    let taken = subject.leases().take(&key(subject), holder, "test", time).await;
    taken.expect("an answer")
}

async fn taken(subject: &impl Subject, holder: &str, time: Duration) -> Held {
    match take(subject, holder, time).await {
        Taken::Ours(held) => held,
        Taken::Theirs(lease) => panic!("{lease:?}"),
    }
}

async fn listed(subject: &impl Subject) -> Vec<Lease> {
    let mut leases = subject.leases().list(subject.owner()).await.expect("a list");
    leases.retain(|lease| lease.key == key(subject));
    leases
}

async fn expired(subject: &impl Subject) {
    let is_expired = || async { listed(subject).await.iter().all(|lease| lease.is_expired) };
    until("it expires", is_expired).await;
}

fn is_lost(answer: Result<(), PortError>) {
    assert!(matches!(answer, Err(PortError::Moved(_))), "{answer:?}");
}

pub(crate) async fn one_holds_it_until_it_is_given_back(subject: &impl Subject) {
    let held = taken(subject, "a", LONG).await;
    for holder in ["a", "b"] {
        let Taken::Theirs(lease) = take(subject, holder, LONG).await else { panic!("{holder}") };
        assert_eq!((lease.holder.as_str(), lease.purpose.as_str()), ("a", "test"));
    }
    let lease = listed(subject).await.remove(0);
    assert_eq!((&lease.id, lease.is_expired), (&held.id, false));
    assert!(lease.until > lease.since);
    for _ in 0..2 {
        assert_eq!(subject.leases().release(&held).await, Ok(()));
    }
    assert_eq!(listed(subject).await, []);
    let next = taken(subject, "b", LONG).await;
    assert_ne!(next.id, held.id);
    subject.leases().release(&next).await.expect("given back");
}

pub(crate) async fn an_expired_lease_goes_to_another_and_is_lost(subject: &impl Subject) {
    let first = taken(subject, "a", Duration::ZERO).await;
    expired(subject).await;
    let second = taken(subject, "b", LONG).await;
    is_lost(subject.leases().renew(&first, LONG).await);
    assert_eq!(subject.leases().release(&first).await, Ok(()));
    assert_eq!(listed(subject).await.remove(0).id, second.id);
    subject.leases().release(&second).await.expect("given back");
}

pub(crate) async fn an_expired_lease_is_not_renewed(subject: &impl Subject) {
    let held = taken(subject, "a", Duration::ZERO).await;
    expired(subject).await;
    is_lost(subject.leases().renew(&held, LONG).await);
    subject.leases().release(&held).await.expect("given back");
}

pub(crate) async fn a_renewed_lease_lasts_longer(subject: &impl Subject) {
    let held = taken(subject, "a", LONG).await;
    let before = listed(subject).await.remove(0).until;
    subject.leases().renew(&held, 2 * LONG).await.expect("renewed");
    let after = listed(subject).await.remove(0).until;
    assert!(after >= before + 59_000, "{before} {after}");
    subject.leases().release(&held).await.expect("given back");
}

pub(crate) async fn a_broken_lease_is_lost_to_its_holder(subject: &impl Subject) {
    let held = taken(subject, "a", LONG).await;
    assert_eq!(subject.leases().break_up(&held.id).await, Ok(()));
    assert_eq!(listed(subject).await, []);
    is_lost(subject.leases().renew(&held, LONG).await);
    let next = taken(subject, "b", LONG).await;
    subject.leases().release(&next).await.expect("given back");
}

pub(crate) async fn a_lease_that_is_not_there_cannot_be_broken(subject: &impl Subject) {
    let broken = subject.leases().break_up(&"e".repeat(64)).await;
    assert!(matches!(broken, Err(PortError::NotFound(_))), "{broken:?}");
}
