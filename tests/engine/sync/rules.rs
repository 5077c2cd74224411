//! `SIGHUP`: a daemon goes on with other rules, or with the old ones where the file is no good.

use super::super::rig::{Kind, Variant};
use super::super::shop::Shop;
use super::{Daemon, rules};

const TAKEN: &str = "the rules were read again";
const KEPT: &str = "the rules are as they were before";

#[test]
fn rules_that_are_read_again_hold_and_a_broken_file_changes_nothing() {
    let mut shop = Shop::open("sync-rules", Kind::Nginx);
    let images = [("two", Variant::V2), ("three", Variant::V1)];
    let [two, three] = images.map(|(name, variant)| shop.world.tag(name, variant));
    let of = |source: &str| rules(&shop.world, "", source);
    let daemon = Daemon::of(&shop.world, "sync", &of("    interval: 1h\n"));
    daemon.says("is new");
    let change = |text: &str, says: &str, times: usize| {
        std::fs::write(&daemon.file, text).expect("a file");
        daemon.running.signal("HUP");
        daemon.says_again(says, times);
    };

    // It would not be asked for within an hour.
    let commit = shop.release(&two, "");
    change(&of("    interval: 1s\n    mode: plan-only\n"), TAKEN, 1);
    daemon.says("waits to be approved");
    assert!(daemon.said().contains(&commit[..7]), "{}", daemon.said());
    assert_eq!(shop.all(), shop.containers);

    change(&of("    interval: soon\n    mode: automatic\n"), KEPT, 1);
    assert!(daemon.said().contains("sync.yaml:4:"), "{}", daemon.said());
    let commit = shop.release(&three, "");
    daemon.says_again("waits to be approved", 2);
    assert_eq!(shop.all(), shop.containers, "plan-only still holds");

    change(&of("    interval: 1s\n    mode: automatic\n"), TAKEN, 2);
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    daemon.stop();
}
