//! The daemon against the real engine: what is pushed is deployed, what dies is replaced, and
//! clients notice nothing of either, nor of a daemon that dies.

mod drift;
mod hooks;
mod hosts;
mod kept;
mod large;
mod rules;
mod signed;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::rig::{Background, Kind, Variant, World, alone, docker};
use super::shop::{Shop, until};

/// How long a daemon may take to end once it was asked to.
const END_MAX: Duration = Duration::from_secs(200);

/// How long it may take to say something: the lease of a daemon that was killed lasts for 30 s.
const SAY_MAX: Duration = Duration::from_secs(300);

/// A daemon that watches the repository of a world.
pub(crate) struct Daemon {
    running: Background,
    file: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Watches a shop, and asks for commits every second.
    fn start(shop: &Shop, name: &str, more: &str) -> Self {
        let source = format!("    interval: 1s\n{more}");
        Self::of(&shop.world, name, &rules(&shop.world, "", &source))
    }

    /// A daemon with such a file.
    pub(crate) fn of(world: &World, name: &str, rules: &str) -> Self {
        let file = world.folder().join(format!("{name}.yaml"));
        std::fs::write(&file, rules).expect("a file");
        let log = world.folder().join(format!("{name}.log"));
        let mut command = world.command(&["sync", "--config"]);
        command.arg(&file);
        Self { running: Background::start(&mut command, &log), file, log }
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has said something.
    pub(crate) fn says(&self, words: &str) {
        let since = Instant::now();
        while !self.said().contains(words) {
            assert!(since.elapsed() < SAY_MAX, "no `{words}` in\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has said something so many times.
    fn says_again(&self, words: &str, times: usize) {
        let what = format!("{words}, {times} times");
        until(&what, || self.said().matches(words).count() >= times);
    }

    fn kill(mut self) {
        self.running.signal("KILL");
        assert!(self.running.wait(END_MAX).is_some(), "it does not end");
    }

    /// Sends a signal, by its name without `SIG`.
    fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    pub(crate) fn stop(mut self) {
        self.running.signal("TERM");
        assert_eq!(self.running.wait(END_MAX), Some(0), "{}", self.said());
    }
}

/// The file of a daemon that watches the repository of a world: lines of the file itself, and of the
/// source.
pub(crate) fn rules(world: &World, more: &str, source: &str) -> String {
    let repository = world.path();
    format!("{more}sources:\n  shop:\n    repository: {}\n{source}", repository.display())
}

/// Waits until nothing is left to do to be at a commit.
fn settled(shop: &Shop, commit: &str) {
    let plan = ["--rev", commit, "plan", "--detailed-exitcode"];
    until("the commit is brought about", || shop.world.run(&plan).code == 0);
}

fn pushed(kind: Kind) {
    let _alone = alone();
    let mut shop = Shop::open("sync-push", kind);
    let images = [shop.world.tag("two", Variant::V2), shop.image.clone()];
    let daemon = Daemon::start(&shop, "sync", "");
    daemon.says("is new");
    let load = shop.load().start();
    for image in &images {
        let commit = shop.release(image, "");
        daemon.says(&format!("for {} is done", &commit[..7]));
        shop.assert_settled(&commit);
    }
    daemon.stop();
    load.finish().assert_nothing_lost();
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
}

#[test]
fn what_is_pushed_is_deployed_behind_nginx_and_nothing_is_lost() {
    pushed(Kind::Nginx);
}

#[test]
fn what_is_pushed_is_deployed_behind_haproxy_and_nothing_is_lost() {
    pushed(Kind::Haproxy);
}

#[test]
fn a_container_that_is_removed_by_hand_is_made_again_before_the_regular_look() {
    let shop = Shop::open("sync-heal", Kind::Nginx);
    let daemon = Daemon::start(&shop, "sync", "    look: 1h\n");
    daemon.says("is new");
    for _ in 0..3 {
        docker(&["rm", "-f", &shop.all()[0]]);
        until("two run again", || shop.world.running(Some("shop")).len() == 2);
        settled(&shop, &shop.commit);
    }
    daemon.stop();
}

#[test]
fn a_bad_commit_is_taken_back_and_left_alone_and_the_next_one_is_deployed() {
    let _alone = alone();
    let mut shop = Shop::open("sync-bad", Kind::Nginx);
    let (bad, good) = (shop.world.tag("bad", Variant::Bad), shop.world.tag("two", Variant::V2));
    let daemon = Daemon::start(&shop, "sync", "    look: 2s\n");
    daemon.says("is new");
    let load = shop.load().start();
    let commit = shop.release(&bad, "");
    daemon.says(&format!("for {} failed and was taken back", &commit[..7]));
    // Several looks see it, and none tries it again; what died meanwhile is replaced.
    docker(&["rm", "-f", &shop.all()[0]]);
    daemon.says("is done");
    std::thread::sleep(Duration::from_secs(5));
    let begun = format!("brings about {}", &commit[..7]);
    assert_eq!(daemon.said().matches(&begun).count(), 1, "{}", daemon.said());
    settled(&shop, &shop.commit);
    let commit = shop.release(&good, "");
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    daemon.stop();
    let report = load.finish();
    // What was under way in the container that was removed by hand is lost with it.
    assert!(report.failed() < 20, "{report}");
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_is_followed_by_one_that_ends_the_work() {
    let _alone = alone();
    let mut shop = Shop::open("sync-kill", Kind::Haproxy);
    let image = shop.world.tag("two", Variant::V2);
    let load = shop.load().start();
    let first = Daemon::start(&shop, "first", "");
    first.says("is new");
    let commit = shop.release(&image, "");
    until("new containers", || shop.world.running(Some("shop")).len() > 2);
    first.kill();
    let second = Daemon::start(&shop, "second", "");
    second.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    second.stop();
    load.finish().assert_nothing_lost();
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
}

#[test]
fn a_daemon_that_is_asked_to_end_ends_what_runs_and_leaves_no_lease() {
    let mut shop = Shop::open("sync-end", Kind::Nginx);
    let image = shop.world.tag("two", Variant::V2);
    let daemon = Daemon::start(&shop, "sync", "");
    daemon.says("is new");
    let commit = shop.release(&image, "");
    until("new containers", || shop.world.running(Some("shop")).len() > 2);
    daemon.stop();
    assert_eq!(super::shop::leases(&shop.world), Vec::new());
    shop.world.run(&["apply", "-y"]).succeeded();
    shop.assert_settled(&commit);
}

#[test]
fn two_daemons_are_kept_apart_and_the_second_goes_on_when_the_first_dies() {
    let _alone = alone();
    let mut shop = Shop::open("sync-two", Kind::Nginx);
    let images = [shop.world.tag("two", Variant::V2), shop.image.clone()];
    let load = shop.load().start();
    let first = Daemon::start(&shop, "first", "");
    let second = Daemon::start(&shop, "second", "");
    first.says("is new");
    second.says("is new");
    let commit = shop.release(&images[0], "");
    settled(&shop, &commit);
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
    first.kill();
    let commit = shop.release(&images[1], "");
    second.says(&format!("for {} is done", &commit[..7]));
    second.stop();
    load.finish().assert_nothing_lost();
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
}
