//! What outlives a daemon that is killed: the quarantine of a commit, a pause that somebody ordered.

use std::net::TcpListener;

use super::super::rig::{Kind, Variant, alone};
use super::super::shop::{FILE, Shop, until};
use super::{Daemon, rules};

#[test]
fn a_daemon_that_is_killed_leaves_quarantine_and_pause_to_the_next_one() {
    let _alone = alone();
    let mut shop = Shop::open("sync-kept", Kind::Nginx);
    let (bad, good) = (shop.world.tag("bad", Variant::Bad), shop.world.tag("two", Variant::V2));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let server = format!("http://{}", free.as_ref().expect("a free port"));
    let token = shop.world.folder().join("token");
    std::fs::write(&token, "sixteen letters and more").expect("a file");
    let more = format!("listen: {}\ntoken: {{file: {}}}\n", free.expect("a port"), token.display());
    let text = rules(&shop.world, &more, "    interval: 1s\n    look: 2s\n");
    let start = || Daemon::of(&shop.world, "sync", &text);
    let token = token.display().to_string();
    let asks = |words: &[&str]| {
        let daemon = ["--server", &server, "--token-file", &token];
        shop.world.run(&[words, &daemon].concat())
    };

    let daemon = start();
    daemon.says("is new");
    shop.world.write(FILE, shop.text(&bad, ""));
    let commit = shop.world.commit("bad");
    daemon.says(&format!("for {} failed and was taken back", &commit[..7]));
    daemon.kill();

    let daemon = start();
    daemon.says("is new");
    let words = "it is tried again when something changes";
    until("it is known to be bad", || asks(&["status"]).stdout.contains(words));
    asks(&["pause", "shop", "--reason", "audit"]).succeeded();
    assert!(!daemon.said().contains("brings about"), "{}", daemon.said());
    daemon.kill();

    let daemon = start();
    daemon.says("waits: paused: audit");
    shop.world.write(FILE, shop.text(&good, ""));
    let commit = shop.world.commit("good");
    daemon.says(&format!("{} is new", &commit[..7]));
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert!(!daemon.said().contains("brings about"), "{}", daemon.said());
    asks(&["resume", "shop"]).succeeded();
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    daemon.stop();
}
