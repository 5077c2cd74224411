//! Hosts that are emptied under load, and given back.

use super::Town;
use crate::rig::{Variant, alone};

/// Beside the shop: a service whose volume binds it to the host it came to first.
fn store(image: &str) -> String {
    format!(
        "services:\n  db:\n    image: {image}\n    environment: {{START_DELAY_MS: '100'}}\n    \
         volumes: ['data:/data']\n    x-gitdeploy:\n      health: {{http: /health, port: 8080, \
         interval: 200ms, timeout: 1s, within: 30s}}\nvolumes:\n  data: {{}}\n"
    )
}

/// Containers of the store on a host, whether they run or not.
fn bound(town: &Town, host: &str) -> Vec<String> {
    let filter = "label=gitdeploy.service=db";
    let list = ["ps", "-a", "--filter", filter, "--format", "{{.Names}} {{.State}}"];
    town.fleet.host(host).docker(&list).lines().map(str::to_owned).collect()
}

#[test]
fn a_drained_host_is_empty_but_for_its_data_until_it_is_given_back() {
    let _alone = alone();
    let mut town = Town::open("drain");
    let image = town.image("one", Variant::V1);
    town.world.write("stacks/store/compose.yaml", store(&image));
    town.release(&image);
    town.world.run(&["apply", "-y"]).succeeded();
    let hosts = ["one", "two", "three"];
    let home = hosts.into_iter().find(|host| !bound(&town, host).is_empty()).expect("a store");
    let other = hosts.into_iter().rfind(|host| *host != home).expect("three hosts");
    let data = bound(&town, home);
    assert!(!town.containers(home).is_empty(), "no replica on {home}");
    let running = town.loads().map(|load| load.start());

    let drained = town.world.run(&["drain", home, "-y"]);
    drained.succeeded();
    let said = format!("store/db stays on {home}");
    assert!(drained.stderr.contains(&said), "{}", drained.stderr);
    assert_eq!(town.containers(home), Vec::<String>::new());
    assert_eq!(bound(&town, home), data);
    let status = town.world.run(&["status"]);
    assert!(status.stdout.contains(&format!("host {home} is drained")), "{}", status.stdout);
    town.assert_settled();

    town.world.run(&["undrain", home, "-y"]).succeeded();
    town.assert_settled();
    // What runs is not moved back; what comes next may come there again.
    town.world.run(&["drain", other, "-y"]).succeeded();
    assert!(!town.containers(home).is_empty(), "nothing comes back to {home}");
    assert_eq!(town.containers(other), Vec::<String>::new());
    town.world.run(&["undrain", other, "-y"]).succeeded();
    town.assert_settled();
    let total: usize = hosts.map(|host| town.containers(host).len()).iter().sum();
    assert_eq!(total, 4);
    for report in running.map(crate::rig::Running::finish) {
        report.assert_nothing_lost();
    }
}
