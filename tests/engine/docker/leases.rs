//! Leases: one holder at a time.

use std::time::Duration;

use gitdeploy::ports::{Lease, LeaseKey, Leases, PortError, Taken};

use super::world::World;

const LONG: Duration = Duration::from_secs(60);

fn key(world: &World) -> LeaseKey {
    LeaseKey::Stack(world.owner.clone(), world.stack.clone())
}

async fn take(world: &World, holder: &str, time: Duration) -> Taken {
    world.docker.take(&key(world), holder, "test", time).await.unwrap()
}

async fn listed(world: &World) -> Vec<Lease> {
    let mut leases = world.docker.list(&world.owner).await.unwrap();
    leases.retain(|lease| lease.key == key(world));
    leases
}

#[tokio::test]
async fn of_many_takers_one_gets_it() {
    let world = World::new("race");
    let holders = ["a", "b", "c", "d", "e", "f"];
    let taken =
        futures_util::future::join_all(holders.map(|holder| take(&world, holder, LONG))).await;
    let ours: Vec<_> = taken
        .iter()
        .filter_map(|taken| match taken {
            Taken::Ours(held) => Some(held),
            Taken::Theirs(_) => None,
        })
        .collect();
    assert_eq!(ours.len(), 1, "{taken:?}");
    let lease = listed(&world).await.remove(0);
    assert_eq!(lease.id, ours[0].id);
    assert!(lease.until > lease.since && !lease.is_expired);
    world.docker.release(ours[0]).await.unwrap();
    assert_eq!(listed(&world).await, []);
}

#[tokio::test]
async fn one_holder_does_not_get_it_twice() {
    let world = World::new("twice");
    let Taken::Ours(held) = take(&world, "a", LONG).await else { panic!("it was free") };
    assert!(matches!(take(&world, "a", LONG).await, Taken::Theirs(_)));
    world.docker.release(&held).await.unwrap();
}

#[tokio::test]
async fn an_expired_lease_goes_to_one_other_and_is_lost_to_its_holder() {
    let world = World::new("expiry");
    let Taken::Ours(first) = take(&world, "a", Duration::ZERO).await else { panic!("it was free") };
    let expired = async {
        while !listed(&world).await.iter().all(|lease| lease.is_expired) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), expired).await.unwrap();
    let taken =
        futures_util::future::join_all(["b", "c", "d"].map(|it| take(&world, it, LONG))).await;
    let mut ours = taken.into_iter().filter_map(|taken| match taken {
        Taken::Ours(held) => Some(held),
        Taken::Theirs(_) => None,
    });
    let second = ours.next().unwrap();
    assert_eq!(ours.next(), None);
    let renewed = world.docker.renew(&first, LONG).await;
    assert!(matches!(renewed, Err(PortError::Moved(_))), "{renewed:?}");
    world.docker.release(&first).await.unwrap();
    assert_eq!(listed(&world).await.remove(0).id, second.id);
    world.docker.release(&second).await.unwrap();
}

#[tokio::test]
async fn a_renewed_lease_lasts_longer() {
    let world = World::new("renew");
    let Taken::Ours(held) = take(&world, "a", LONG).await else { panic!("it was free") };
    let before = listed(&world).await.remove(0).until;
    world.docker.renew(&held, 2 * LONG).await.unwrap();
    let after = listed(&world).await.remove(0).until;
    assert!(after >= before + 59_000, "{before} {after}");
    world.docker.release(&held).await.unwrap();
}

#[tokio::test]
async fn a_broken_lease_is_lost_to_its_holder() {
    let world = World::new("break");
    let Taken::Ours(held) = take(&world, "a", LONG).await else { panic!("it was free") };
    world.docker.break_up(&held.id).await.unwrap();
    let renewed = world.docker.renew(&held, LONG).await;
    assert!(matches!(renewed, Err(PortError::Moved(_))), "{renewed:?}");
    let broken = world.docker.break_up(&held.id).await;
    assert!(matches!(broken, Err(PortError::NotFound(_))), "{broken:?}");
}
