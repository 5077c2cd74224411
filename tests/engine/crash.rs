//! Runs that end in the middle, killed or interrupted: clients notice nothing, and the next run
//! finishes the work.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::rig::{Kind, Load, Runs, Variant, alone, signal};
use super::shop::{Shop, until};

/// At how many moments of a rollout it is killed, behind each kind of proxy.
const MOMENTS: u32 = 6;

/// How long a run may take to end once it was asked to.
const END_MAX: Duration = Duration::from_secs(200);

fn start(shop: &Shop) -> Child {
    let mut command = shop.world.command(&["apply", "-y"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

fn code(mut child: Child) -> i32 {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            return status.code().unwrap_or(-1);
        }
        assert!(since.elapsed() < END_MAX, "the run does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Kills a run after a time; gives how long it took if it has ended before.
fn killed_after(mut run: Child, time: Duration) -> Option<Duration> {
    let since = Instant::now();
    while since.elapsed() < time {
        if run.try_wait().expect("a child can be asked").is_some() {
            return Some(since.elapsed());
        }
        thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("a child can be killed");
    run.wait().expect("a child ends");
    None
}

/// Killed at moments evenly spread over a rollout, under load; each time the next run ends it.
/// `offset` is for moments of which there are twice as many.
fn killed(kind: Kind, runs: Runs, offset: u32) {
    let _alone = alone();
    let mut shop = Shop::behind("killed", kind, runs, 2);
    let images = [shop.world.tag("two", Variant::V2), shop.image.clone()];
    // A WebSocket would have every drain last to its limit.
    let running = Load { sockets: 0, ..shop.load() }.start();
    let since = Instant::now();
    shop.release(&images[0], "");
    shop.world.run(&["apply", "-y"]).succeeded();
    let mut whole = since.elapsed();
    let mut unfinished = 0;
    for moment in 0..MOMENTS {
        let commit = shop.release(&images[usize::from(moment % 2 == 0)], "");
        let at = whole * (2 * moment + offset) / (2 * MOMENTS);
        // The machine may have had less time for the rollout that was measured.
        whole = killed_after(start(&shop), at).unwrap_or(whole);
        shop.unlock();
        let rest = shop.world.run(&["plan", "--detailed-exitcode"]);
        assert!([0, 2].contains(&rest.code), "{}\n{}", rest.stdout, rest.stderr);
        unfinished += u32::from(rest.code == 2);
        shop.world.run(&["apply", "-y"]).succeeded();
        shop.assert_settled(&commit);
        assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
        let so_far = running.so_far();
        assert_eq!(so_far.failed(), 0, "killed after {at:?}:\n{so_far}");
    }
    let report = running.finish();
    report.assert_nothing_lost();
    assert!(unfinished >= MOMENTS / 3, "only {unfinished} of {MOMENTS} had something left to do");
}

#[test]
fn a_killed_rollout_behind_nginx_loses_nothing_and_is_finished_by_the_next() {
    killed(Kind::Nginx, Runs::OnHost, 0);
}

#[test]
fn a_killed_rollout_behind_haproxy_loses_nothing_and_is_finished_by_the_next() {
    killed(Kind::Haproxy, Runs::OnHost, 1);
}

#[test]
fn a_killed_rollout_behind_nginx_in_a_container_loses_nothing() {
    killed(Kind::Nginx, Runs::InContainer, 1);
}

#[test]
fn a_killed_rollout_behind_haproxy_in_a_container_loses_nothing() {
    killed(Kind::Haproxy, Runs::InContainer, 0);
}

#[test]
fn the_next_run_waits_until_the_lease_of_a_dead_one_has_expired() {
    let mut shop = Shop::open("waits", Kind::Nginx);
    let image = shop.world.tag("two", Variant::V2);
    let commit = shop.release(&image, "");
    let mut child = start(&shop);
    until("new containers", || shop.all().len() > 2);
    child.kill().expect("a child can be killed");
    child.wait().expect("a child ends");
    shop.world.run(&["apply", "-y"]).ended_with(11);
    shop.world.run(&["apply", "-y", "--lock-timeout", "60"]).succeeded();
    shop.assert_settled(&commit);
}

/// Interrupted `times` while replicas are waited for.
fn interrupted(kind: Kind, times: u32, limit: Duration) {
    let _alone = alone();
    let mut shop = Shop::open("stops", kind);
    let image = shop.world.tag("two", Variant::V2);
    let running = shop.load().start();
    let commit = shop.release(&image, "");
    let child = start(&shop);
    until("new containers", || shop.world.running(Some("shop")).len() > 2);
    let since = Instant::now();
    for _ in 0..times {
        signal("INT", child.id());
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(code(child), 130);
    let took = since.elapsed();
    assert!(took < limit, "it took {took:?} to end");
    assert_eq!(super::shop::leases(&shop.world), Vec::new(), "no lease stays");
    shop.world.run(&["apply", "-y"]).succeeded();
    shop.assert_settled(&commit);
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
    running.finish().assert_nothing_lost();
}

#[test]
fn an_interrupted_rollout_behind_nginx_is_finished_by_the_next() {
    interrupted(Kind::Nginx, 1, Duration::from_secs(15));
}

#[test]
fn an_interrupted_rollout_behind_haproxy_is_finished_by_the_next() {
    interrupted(Kind::Haproxy, 1, Duration::from_secs(15));
}

#[test]
fn a_rollout_that_is_interrupted_twice_is_finished_by_the_next() {
    interrupted(Kind::Nginx, 2, Duration::from_secs(8));
}
