//! Hosts over SSH: their engines tell through the same session, and what they tell is put right.

use super::super::rig::{Variant, docker};
use super::super::shop::until;
use super::super::ssh::{over_ssh, plain};
use super::{Daemon, rules};

#[test]
fn a_replica_of_a_host_over_ssh_is_made_again_because_its_engine_tells() {
    let (mut world, _server) = over_ssh("sync-ssh", "");
    let image = world.tag("one", Variant::V1);
    world.write("stacks/shop/compose.yaml", plain(&image));
    let commit = world.commit("one");
    // Nothing is looked at by itself.
    let source = "    interval: 1h\n    look: 1h\n";
    let daemon = Daemon::of(&world, "sync", &rules(&world, "", source));
    daemon.says(&format!("for {} is done", &commit[..7]));
    for times in 1..=2 {
        let before = world.running(Some("shop"));
        let removed = std::time::Instant::now();
        docker(&["rm", "-f", &before[0]]);
        until("another one runs", || {
            let now = world.running(Some("shop"));
            now.len() == 1 && now != before
        });
        println!("runs again after {:.1} s", removed.elapsed().as_secs_f64());
        daemon.says_again("drifted: web.replicas", times);
        daemon.says_again(&format!("for {} is done", &commit[..7]), times + 1);
    }
    daemon.stop();
}

#[test]
fn environments_on_one_host_share_its_session() {
    let (mut world, server) = over_ssh("sync-shared", "");
    let image = world.tag("one", Variant::V1);
    let both = "environments: {blue: {}, green: {}}\n";
    world.write("gitdeploy.yaml", format!("project: {}\n{both}", world.project));
    world.write("stacks/shop/compose.yaml", plain(&image));
    world.commit("one");
    let source = |name: &str| {
        let repository = world.path();
        format!("  {name}: {{repository: {}, environment: {name}}}\n", repository.display())
    };
    let text = format!("sources:\n{}{}", source("blue"), source("green"));
    let daemon = Daemon::of(&world, "sync", &text);
    daemon.says_again("is done", 2);
    assert_eq!(world.running(Some("shop")).len(), 2);
    daemon.stop();
    assert_eq!(server.log().matches("Accepted publickey").count(), 1, "{}", server.log());
}
