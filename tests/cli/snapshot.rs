//! Snapshots as others see them: their signature is one that OpenSSH's own program checks.
#![cfg(debug_assertions)]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::environment::Repo;

const KEY: (&str, &str) = ("GITDEPLOY_SNAPSHOT_KEY", "5f0c7a1b9d3e4f60718293a4b5c6d7e8");

/// Whether OpenSSH takes `text` for signed by whoever the public key `signer` belongs to.
fn is_signed(repo: &Repo, signer: &str, signature: &str, text: &str) -> bool {
    repo.write("allowed", format!("deployer {signer}\n"));
    let armor = |word: &str| format!("-----{word} SSH SIGNATURE-----\n");
    repo.write("signature", format!("{}{signature}\n{}", armor("BEGIN"), armor("END")));
    let mut verify = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", "gitdeploy-snapshot", "-I", "deployer"])
        .args(["-f", "allowed", "-s", "signature"])
        .current_dir(repo.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh-keygen");
    // It may refuse without having read all.
    drop(verify.stdin.take().expect("a pipe").write_all(text.as_bytes()));
    verify.wait().expect("it ends").success()
}

#[test]
fn openssh_agrees_with_the_signature_and_with_the_public_key() {
    let repo = crate::scripts::shop();
    let world = ("GITDEPLOY_SIMULATED_WORLD", "../world.json");
    let public = repo.run_with(&["snapshot", "--public-key"], &[KEY]);
    let taken = repo.run_with(&["snapshot", "--out", "fleet.json"], &[KEY, world]);
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    let file = fs::read_to_string(repo.path().join("fleet.json")).expect("a snapshot");
    let (head, body) = file.trim_end().split_once('\n').expect("two lines");
    let head: Value = serde_json::from_str(head).expect("JSON");
    let signature = head["signature"].as_str().expect("a signature");
    assert_eq!(head["signer"], public.stdout.trim());
    assert!(is_signed(&repo, &public.stdout, signature, body));
    assert!(!is_signed(&repo, &public.stdout, signature, &format!("{body} ")));
}
