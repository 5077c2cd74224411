use serde_json::{Value, json};

use super::redact::{config, token};
use super::*;
use crate::model::Name;

fn key() -> PictureKey {
    PictureKey::new("0123456789abcdef0123").expect("a key")
}

fn owner() -> Owner {
    let name = |text| Name::parse(text).expect("a name");
    Owner { project: name("acme").into(), environment: name("production").into() }
}

fn text() -> String {
    let observed = Observed { at: 5, ..Observed::default() };
    Picture::taken(&owner(), observed, Wanted::default(), false, &key())
}

fn redacted(mut value: Value) -> Value {
    config(&mut value, &key());
    value
}

#[test]
fn a_picture_reads_back_with_its_key() {
    let picture = Picture::read(&text(), Some(&key())).expect("a picture");
    assert_eq!((picture.at, picture.trust, picture.owner), (5, Trust::Verified, owner()));
}

#[test]
fn without_a_key_it_reads_back_and_is_not_trusted() {
    let picture = Picture::read(&text(), None).expect("a picture");
    assert_eq!(picture.trust, Trust::Unverified);
}

#[test]
fn a_changed_picture_is_refused() {
    let changed = text().replace("\"at\":5", "\"at\":6");
    assert_eq!(Picture::read(&changed, Some(&key())).map(drop), Err(PictureError::Forged));
    let unsigned = text().replace("\"signature\":\"", "\"signature\":\"é");
    assert_eq!(Picture::read(&unsigned, Some(&key())).map(drop), Err(PictureError::Forged));
}

#[test]
fn another_key_is_told_by_name() {
    let other = PictureKey::new("another key, long enough").expect("a key");
    let error = Picture::read(&text(), Some(&other)).map(drop).expect_err("another key");
    assert!(matches!(error, PictureError::OtherKey { .. }), "{error}");
    assert!(!error.to_string().contains("another key, long"));
    assert!(!format!("{other:?}").contains("long enough"));
}

#[test]
fn anything_else_is_refused() {
    for text in ["", "{}\n{}", "[]", "x\ny", "{\"gitdeploy_snapshot\":1}\n{}"] {
        let error = Picture::read(text, None).map(drop);
        assert!(matches!(error, Err(PictureError::NotAPicture(_))), "{text}: {error:?}");
    }
    let other = text().replacen(":1", ":2", 1);
    assert_eq!(Picture::read(&other, None).map(drop), Err(PictureError::OtherFormat(2)));
}

#[test]
fn a_short_key_is_none() {
    assert_eq!(PictureKey::new(" short \n"), Err(KeyError));
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
