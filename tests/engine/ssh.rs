//! Hosts over SSH: the program and its transport against a real `sshd` in front of the real engine.

mod deploy;
mod faults;
mod session;
mod trust;

use std::fs;

use super::rig::{Sshd, World};

/// A world whose host is reached through a server of its own, with the right key and the host
/// known.
pub(super) fn over_ssh(name: &str, more: &str) -> (World, Sshd) {
    let mut world = World::new(name);
    let server = Sshd::start(&world.home().join("sshd"), more);
    know(&world, &server.line());
    give_key(&world, &server);
    world.reach(&format!("docker: ssh://{}", server.authority()));
    (world, server)
}

/// Writes `~/.ssh/known_hosts`.
fn know(world: &World, text: &str) {
    let folder = world.home().join(".ssh");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("known_hosts"), text).expect("a file");
}

/// Puts the key that the server lets in among those of the home.
fn give_key(world: &World, server: &Sshd) {
    let folder = world.home().join(".ssh");
    fs::create_dir_all(&folder).expect("a folder");
    fs::copy(server.guest(), folder.join("id_ed25519")).expect("a key");
}

/// A stack that needs no proxy.
pub(super) fn plain(image: &str) -> String {
    format!("services: {{web: {{image: {image}}}}}\n")
}
