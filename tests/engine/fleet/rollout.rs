//! Releases over hosts under load.

use super::Town;
use crate::rig::{Variant, alone};

#[test]
fn a_release_over_three_hosts_and_two_proxies_loses_no_request() {
    let _alone = alone();
    let (mut town, first) = Town::deployed("town");
    let second = town.image("two", Variant::V2);
    for host in ["one", "two", "three"] {
        assert!(!town.containers(host).is_empty(), "no replica on {host}");
    }
    let running = town.loads().map(|load| load.start());
    for image in [&second, &first] {
        town.release(image);
        town.world.run(&["apply", "-y"]).succeeded();
        town.assert_settled();
    }
    for report in running.map(crate::rig::Running::finish) {
        assert!(report.versions.len() > 1, "both must have answered: {:?}", report.versions);
        report.assert_nothing_lost();
    }
}
