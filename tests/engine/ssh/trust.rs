//! Who is trusted: hosts whose key is known, and us by our keys.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::super::rig::{SshAgent, Sshd, World, finish, keygen};
use super::{know, over_ssh, plain};

fn with_stack(name: &str) -> (World, Sshd) {
    let (world, server) = over_ssh(name, "");
    world.write("stacks/s/compose.yaml", plain("none"));
    world.commit("one");
    (world, server)
}

/// What `status` says of a host that it may not use.
fn refused(world: &World) -> String {
    let ended = world.run(&["plan"]);
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    ended.stderr
}

#[test]
fn an_unknown_host_is_refused_with_the_command_that_makes_it_known() {
    let (world, server) = with_stack("ssh-unknown");
    know(&world, "other.example.com ssh-ed25519 AAAA\n");
    let said = refused(&world);
    assert!(said.contains(&server.fingerprint()), "{said}");
    assert!(!server.log().contains("Accepted"), "{}", server.log());
    let command = said.split('`').find(|part| part.starts_with("echo ")).expect("a command");
    let mut shell = Command::new("sh");
    finish(shell.args(["-c", command]), Vec::new(), Duration::from_secs(60)).succeeded();
    world.run(&["locks"]).succeeded();
}

#[test]
fn a_changed_host_key_is_refused() {
    let (world, mut server) = with_stack("ssh-changed");
    world.run(&["locks"]).succeeded();
    server.change_key();
    let said = refused(&world);
    assert!(said.contains("local cannot be used") && !said.contains("did not answer"), "{said}");
    assert!(said.contains("has changed") && said.contains(&server.fingerprint()), "{said}");
    assert!(said.contains(&format!("ssh-keygen -R '{}' -f ", server.name())), "{said}");
    assert!(!server.log().contains("Accepted"), "{}", server.log());
}

#[test]
fn a_revoked_host_key_is_refused() {
    let (world, server) = with_stack("ssh-revoked");
    know(&world, &format!("{0}@revoked {0}", server.line()));
    let said = refused(&world);
    assert!(said.contains("is revoked in") && said.contains("line 2"), "{said}");
}

#[test]
fn a_host_that_is_noted_by_its_hash_is_known() {
    let (world, _server) = with_stack("ssh-hashed");
    let file: PathBuf = world.home().join(".ssh/known_hosts");
    let mut hash = Command::new("ssh-keygen");
    finish(hash.arg("-Hf").arg(&file), Vec::new(), Duration::from_secs(60)).succeeded();
    assert!(std::fs::read_to_string(&file).expect("a file").starts_with("|1|"));
    world.run(&["locks"]).succeeded();
}

#[test]
fn keys_of_an_agent_are_offered_one_after_the_other() {
    let (world, server) = with_stack("ssh-agent");
    std::fs::remove_file(world.home().join(".ssh/id_ed25519")).expect("a key");
    let said = refused(&world);
    assert!(said.contains("no key was found"), "{said}");
    let other = world.home().join("other");
    keygen(&other, "");
    let agent = SshAgent::with(world.home(), &[other, server.guest()]);
    let socket = agent.socket.display().to_string();
    let variables = [("SSH_AUTH_SOCK", socket.as_str())];
    world.run_with(&["locks"], &variables, Duration::from_secs(60)).succeeded();
}

#[test]
fn what_was_tried_in_vain_is_told() {
    let (world, _server) = with_stack("ssh-keys");
    let folder = world.home().join(".ssh");
    for (name, passphrase) in [("id_ed25519", "secret"), ("id_rsa", "")] {
        std::fs::remove_file(folder.join(name)).ok();
        keygen(&folder.join(name), passphrase);
    }
    let said = refused(&world);
    assert!(said.contains(".ssh/id_ed25519 (has a passphrase: `ssh-add` it)"), "{said}");
    assert!(said.contains(".ssh/id_rsa,") || said.contains(".ssh/id_rsa;"), "{said}");
    assert!(said.contains("authorized_keys"), "{said}");
}
