use serde_json::{Value, json};

use super::redact::{config, token};
use super::*;
use crate::model::Name;

fn key() -> PictureKey {
    PictureKey::new("0123456789abcdef0123456789abcdef").expect("a key")
}

fn other() -> PictureKey {
    PictureKey::new("another key, which is long enough").expect("a key")
}

/// Reads it as somebody who has the key.
fn with(text: &str, key: &PictureKey) -> Result<Picture, PictureError> {
    Picture::read(text, Trusted { key: Some(key), signers: &[] })
}

/// Reads it as somebody who trusts whoever holds one of these keys.
fn trusting(text: &str, keys: &[&PictureKey]) -> Result<Picture, PictureError> {
    let signers: Vec<PublicKey> = keys.iter().map(|key| key.signer()).collect();
    Picture::read(text, Trusted { key: None, signers: &signers })
}

fn owner() -> Owner {
    let name = |text| Name::parse(text).expect("a name");
    Owner { project: name("acme").into(), environment: name("production").into() }
}

fn text() -> String {
    let observed = Observed { at: 5, ..Observed::default() };
    Picture::taken(&owner(), observed, Wanted::default(), false, &key()).expect("a signature")
}

fn redacted(mut value: Value) -> Value {
    config(&mut value, &key());
    value
}

#[test]
fn a_picture_reads_back_with_its_key() {
    let picture = with(&text(), &key()).expect("a picture");
    let trust = Trust::Vouched(key().signer());
    assert_eq!((picture.at, picture.trust, picture.owner), (5, trust, owner()));
}

#[test]
fn the_public_half_of_the_key_is_enough_to_check() {
    let picture = trusting(&text(), &[&other(), &key()]).expect("a picture");
    assert_eq!(picture.trust, Trust::Vouched(key().signer()));
}

#[test]
fn where_nobody_is_trusted_it_reads_back_and_nobody_vouches_for_it() {
    let picture = trusting(&text(), &[]).expect("a picture");
    assert_eq!(picture.trust, Trust::Unknown(key().signer()));
}

#[test]
fn a_changed_picture_is_refused_by_whoever_reads_it() {
    let text = text();
    let mut lines = text.lines();
    let (head, body) = (lines.next().expect("a head"), lines.next().expect("a body"));
    for changed in [
        text.replace("\"at\":5", "\"at\":6"),
        text.replace("\"at\":5", "\"at\": 5"),
        text.replace("\"signature\":\"", "\"signature\":\"é"),
        text.replace(&key().signer().to_string(), &other().signer().to_string()),
        text.replace(&key().signer().to_string(), "nobody"),
        format!("{head}\n{body}\n\n"),
        format!("{head}\n{body} "),
    ] {
        for read in [with(&changed, &key()), trusting(&changed, &[&key()]), trusting(&changed, &[])]
        {
            assert_eq!(read.map(drop), Err(PictureError::Forged), "{changed}");
        }
    }
}

#[test]
fn a_picture_without_a_signature_is_refused_by_whoever_reads_it() {
    let body = text().lines().nth(1).expect("a body").to_owned();
    let signer = key().signer();
    for head in [
        "{\"gitdeploy_snapshot\":2}".to_owned(),
        format!("{{\"gitdeploy_snapshot\":2,\"signer\":\"{signer}\"}}"),
        format!("{{\"gitdeploy_snapshot\":2,\"signer\":\"{signer}\",\"signature\":\"\"}}"),
    ] {
        let text = format!("{head}\n{body}\n");
        for read in [with(&text, &key()), trusting(&text, &[&key()]), trusting(&text, &[])] {
            assert_eq!(read.map(drop), Err(PictureError::Unsigned), "{head}");
        }
    }
}

#[test]
fn another_key_is_told_by_its_fingerprint() {
    let error = with(&text(), &other()).map(drop).expect_err("another key");
    let (signed, given) = (key().signer().fingerprint(), other().signer().fingerprint());
    assert_eq!(error, PictureError::OtherKey { signed: signed.clone(), given: given.clone() });
    let told = format!("{error} {:?}", other());
    assert!(told.contains(&given) && !told.contains("long enough"), "{told}");

    let error = trusting(&text(), &[&other()]).map(drop).expect_err("another key");
    assert_eq!(error, PictureError::NotTrusted { signed, trusted: given });
}

#[test]
fn who_has_the_key_and_trusts_others_only_is_refused() {
    let signers = [other().signer()];
    let read = Picture::read(&text(), Trusted { key: Some(&key()), signers: &signers });
    assert!(matches!(read.map(drop), Err(PictureError::NotTrusted { .. })));
}

#[test]
fn anything_else_is_refused() {
    for text in ["", "{}\n{}", "[]", "x\ny", "{\"gitdeploy_snapshot\":2,\"key\":\"x\"}\n{}"] {
        let error = trusting(text, &[]).map(drop);
        assert!(matches!(error, Err(PictureError::NotAPicture(_))), "{text}: {error:?}");
    }
    for format in [1, 3] {
        let other = text().replacen(":2", &format!(":{format}"), 1);
        assert_eq!(trusting(&other, &[]).map(drop), Err(PictureError::OtherFormat(format)));
    }
}

#[test]
fn a_short_key_is_none() {
    assert_eq!(PictureKey::new(" short \n"), Err(KeyError::Short));
    let long = "x".repeat(32);
    assert_eq!(PictureKey::new(&long), PictureKey::new(&format!("\n {long} ")));
}

#[test]
fn a_signature_for_anything_else_is_none() {
    let text = text();
    let body = text.lines().nth(1).expect("a body");
    let signature = key().sign(body.as_bytes()).expect("a signature");
    let signer = key().signer();
    assert!(key::has_signed(&signer, body.as_bytes(), &signature));
    let bytes = signer.signature_of("gitdeploy-snapshot", &signature).expect("one of ours");
    let elsewhere = signer.signature_text("file", &bytes);
    assert!(!key::has_signed(&signer, body.as_bytes(), &elsewhere));
}

#[test]
fn nothing_of_the_key_is_in_a_picture_but_its_public_half() {
    let shown = text();
    assert!(shown.contains(&key().signer().to_string()));
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}

/// What is in a file that people keep must not move: another release reads it.
#[test]
fn a_key_makes_the_same_public_key_for_ever() {
    insta::assert_snapshot!(key().signer(), @"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF8U008d1LRfgVR0I66Of3mRgEHyemkgwWFeOMooKM+T");
    insta::assert_snapshot!(token(&key(), "A", "1"), @"gitdeploy-hidden:09d807dc4697ee5e260b66770baa9104");
}

#[test]
fn no_value_of_an_environment_is_kept() {
    let hash = |name: &str, value: &str| format!("{name}={}", token(&key(), name, value));
    assert_eq!(
        redacted(json!({"Env": ["A=1", "B=", "C"]})),
        json!({"Env": [hash("A", "1"), "B=", "C"]})
    );
}

#[test]
fn what_looks_like_a_secret_is_hashed_wherever_it_stands() {
    let shown = redacted(json!({
        "Cmd": ["serve", "--token", "hunter2", "--port", "80"],
        "Labels": {"api.token": "hunter2", "team": "shop"},
        "HostConfig": {"LogConfig": {"Config": {"splunk-token": "hunter2", "url": "x://me:hunter2@h/"}}},
        "Healthcheck": {"Test": ["CMD-SHELL", "curl -u admin:hunter2 http://x/"]},
    }));
    let text = shown.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    for kept in ["serve", "--port", "\"80\"", "\"team\":\"shop\""] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
}

#[test]
fn equal_values_of_other_names_look_different() {
    assert_ne!(token(&key(), "A", "1"), token(&key(), "B", "1"));
    assert_eq!(token(&key(), "A", "1"), token(&key(), "A", "1"));
}
