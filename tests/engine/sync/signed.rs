//! Commits must be signed where the rules say so: by an SSH key, or by a GPG key.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::rig::{Kind, Variant, World, keygen};
use super::super::shop::{FILE, Shop};
use super::{Daemon, rules};

/// Commits all there is with the program, which signs as `settings` say; the hash comes back.
fn commit_signed(world: &World, settings: &[&str], variables: &[(&str, &Path)]) -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(world.path()).args(["-c", "user.name=anna"]);
        command.args(["-c", "user.email=anna@example.com"]);
        command.args(settings.iter().flat_map(|setting| ["-c", setting])).args(arguments);
        let ended = command.envs(variables.iter().copied()).output().expect("git runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    };
    git(&["add", "-A"]);
    git(&["commit", "-q", "-S", "-m", "signed"]);
    git(&["rev-parse", "HEAD"])
}

/// A daemon that wants signatures refuses a commit without one, deploys one that has it, and keeps
/// that when another one without follows.
fn only_signed(name: &str, signed_by: &str, mut shop: Shop, sign: impl Fn(&World) -> String) {
    let (two, third) = (shop.world.tag("two", Variant::V2), shop.image.clone());
    let source = format!("    interval: 1s\n    signed_by: {signed_by}\n");
    let daemon = Daemon::of(&shop.world, name, &rules(&shop.world, "", &source));
    daemon.says(&format!("{} is not deployed: it is not signed", &shop.commit[..7]));

    shop.world.write(FILE, shop.text(&two, ""));
    let commit = sign(&shop.world);
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    let deployed = shop.all();

    let unsigned = shop.release(&third, "");
    daemon.says(&format!("{} is not deployed: it is not signed", &unsigned[..7]));
    assert_eq!(shop.all(), deployed);
    assert!(!daemon.said().contains(&format!("brings about {}", &unsigned[..7])));
    shop.assert_settled(&commit);
    daemon.stop();
}

#[test]
fn a_commit_that_no_ssh_key_of_the_list_has_signed_is_not_deployed() {
    let shop = Shop::open("sync-signed", Kind::Nginx);
    let folder = shop.world.folder();
    let (key, allowed) = (folder.join("anna"), folder.join("allowed_signers"));
    keygen(&key, "");
    let public = std::fs::read_to_string(folder.join("anna.pub")).expect("a key");
    std::fs::write(&allowed, format!("anna@example.com {public}")).expect("a file");
    let signed_by = format!("{{ssh: {}}}", allowed.display());
    let named = format!("user.signingkey={}", key.display());
    only_signed("signed", &signed_by, shop, |world| {
        commit_signed(world, &["gpg.format=ssh", &named], &[])
    });
}

/// Ends the agent that GPG has started for a folder of keys.
struct Agent(PathBuf);

impl Agent {
    fn gpg(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        let ended = command.arg("--homedir").arg(&self.0).args(arguments).output();
        let ended = ended.expect("it runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        // There may be none.
        drop(command.arg("--homedir").arg(&self.0).args(["--kill", "gpg-agent"]).output());
    }
}

#[test]
fn a_commit_that_no_gpg_key_of_the_ring_has_signed_is_not_deployed() {
    use std::os::unix::fs::DirBuilderExt as _;

    let shop = Shop::open("sync-gpg", Kind::Haproxy);
    let agent = Agent(shop.world.folder().join("gpg"));
    std::fs::DirBuilder::new().mode(0o700).create(&agent.0).expect("a folder");
    let who = "anna@example.com";
    agent.gpg("gpg", &["--batch", "--passphrase", "", "--quick-gen-key", who, "ed25519", "sign"]);
    let ring = shop.world.folder().join("ring");
    agent.gpg("gpg", &["--batch", "--output", &ring.display().to_string(), "--export", who]);
    let signed_by = format!("{{gpg: {}}}", ring.display());
    let home = agent.0.clone();
    let named = format!("user.signingkey={who}");
    only_signed("signed", &signed_by, shop, |world| {
        commit_signed(world, &["gpg.format=openpgp", &named], &[("GNUPGHOME", &home)])
    });
}
