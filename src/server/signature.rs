//! Whether a webhook comes from whom it says: the headers of each forge, and the proof.
//!
//! Two steps. [`Claim::of`] looks at headers alone, so that who signs nothing is turned away before
//! a byte of the body is read; [`Claim::prove`] wants the raw body and compares in constant time.
//! Which forge it is, is the owner's word: never whichever header happens to be there, since Gitea
//! and Forgejo send GitHub's too.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use super::hooks::Rejection;
use crate::model::Millis;
use crate::sync::HookKind;

/// How far the time of a signed message may be from ours.
const CLOCKS_APART_MAX: Millis = 5 * 60 * 1000;

/// Signatures one message may carry: an old and a new secret, and room for one more.
const SIGNATURES_MAX: usize = 3;

/// The longest delivery id that is remembered.
const ID_CHARS_MAX: usize = 200;

/// What the headers of a delivery say of themselves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    proof: Proof,
    /// Its number at the forge. Nothing signs it, but with [`HookKind::GitlabSigned`].
    pub(super) id: Option<String>,
    /// What happened; nothing signs it either.
    pub(super) event: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// One of these is the HMAC of the text before and the body.
    Macs { before: Vec<u8>, macs: Vec<Vec<u8>> },
    /// The secret itself.
    Secret(Vec<u8>),
}

/// What the headers of one forge are called.
struct Words {
    signature: &'static str,
    prefix: &'static str,
    ids: &'static [&'static str],
    event: &'static str,
}

fn words(kind: HookKind) -> Words {
    match kind {
        HookKind::Github => Words {
            signature: "x-hub-signature-256",
            prefix: "sha256=",
            ids: &["x-github-delivery"],
            event: "x-github-event",
        },
        HookKind::Gitlab => Words {
            signature: "x-gitlab-token",
            prefix: "",
            ids: &["idempotency-key", "x-gitlab-event-uuid"],
            event: "x-gitlab-event",
        },
        HookKind::GitlabSigned => Words {
            signature: "webhook-signature",
            prefix: "v1,",
            ids: &["webhook-id"],
            event: "x-gitlab-event",
        },
        HookKind::Gitea => Words {
            signature: "x-gitea-signature",
            prefix: "",
            ids: &["x-gitea-delivery"],
            event: "x-gitea-event",
        },
        HookKind::Forgejo => Words {
            signature: "x-forgejo-signature",
            prefix: "",
            ids: &["x-forgejo-delivery"],
            event: "x-forgejo-event",
        },
        HookKind::Generic => Words {
            signature: "x-signature",
            prefix: "sha256=",
            ids: &["x-delivery"],
            event: "x-event",
        },
    }
}

impl Claim {
    /// Reads the headers. One that is there twice counts as absent: two readers could take
    /// different ones.
    pub(super) fn of(kind: HookKind, headers: &HeaderMap, now: Millis) -> Result<Self, Rejection> {
        let words = words(kind);
        let signature = only(headers, words.signature).ok_or(Rejection::Unsigned)?;
        let proof = match kind {
            HookKind::Gitlab => Proof::Secret(signature.as_bytes().to_vec()),
            HookKind::GitlabSigned => signed_message(headers, signature, &words, now)?,
            HookKind::Github | HookKind::Gitea | HookKind::Forgejo | HookKind::Generic => {
                let hex = signature.strip_prefix(words.prefix).ok_or(Rejection::Unsigned)?;
                let mac = unhex(hex).ok_or(Rejection::Unsigned)?;
                Proof::Macs { before: Vec::new(), macs: vec![mac] }
            }
        };
        let id = words.ids.iter().find_map(|name| only(headers, name));
        let id = id.filter(|id| id.len() <= ID_CHARS_MAX).map(str::to_owned);
        Ok(Self { proof, id, event: only(headers, words.event).map(str::to_owned) })
    }

    /// Whether whoever sent this body knows the secret.
    pub(super) fn prove(&self, secret: &[u8], body: &[u8]) -> Result<(), Rejection> {
        let is_true = match &self.proof {
            Proof::Secret(given) => is_same(secret, given),
            Proof::Macs { before, macs } => {
                let mac = keyed(&key(secret)).chain_update(before).chain_update(body);
                // All are compared: which of them fits is nobody's business.
                let fits = |given: &Vec<u8>| mac.clone().verify_slice(given).is_ok();
                macs.iter().filter(|given| fits(given)).count() > 0
            }
        };
        if is_true { Ok(()) } else { Err(Rejection::Forged) }
    }

    /// Whether anything may have been pushed. What does not say is taken for a push: looking once
    /// too often costs little.
    pub(super) fn may_be_push(&self) -> bool {
        let Some(event) = &self.event else { return true };
        let event = event.to_ascii_lowercase();
        ["push", "create", "delete", "system"].iter().any(|word| event.contains(word))
    }
}

/// GitLab's newer kind, which is that of Standard Webhooks: number and time are signed too.
fn signed_message(
    headers: &HeaderMap,
    signature: &str,
    words: &Words,
    now: Millis,
) -> Result<Proof, Rejection> {
    let id = only(headers, "webhook-id").ok_or(Rejection::Unsigned)?;
    let time = only(headers, "webhook-timestamp").ok_or(Rejection::Unsigned)?;
    let seconds: Millis = time.parse().map_err(|_| Rejection::Unsigned)?;
    if seconds.saturating_mul(1000).abs_diff(now) > CLOCKS_APART_MAX {
        return Err(Rejection::Stale);
    }
    let macs = signature.split(' ').filter_map(|one| one.strip_prefix(words.prefix));
    let macs: Vec<Vec<u8>> =
        macs.take(SIGNATURES_MAX).filter_map(|one| STANDARD.decode(one).ok()).collect();
    match macs.is_empty() {
        true => Err(Rejection::Unsigned),
        false => Ok(Proof::Macs { before: format!("{id}.{time}.").into_bytes(), macs }),
    }
}

/// The only value of a header, as text.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// Standard Webhooks write their keys as `whsec_` and base64.
fn key(secret: &[u8]) -> Vec<u8> {
    let coded = secret.strip_prefix(b"whsec_").and_then(|coded| STANDARD.decode(coded).ok());
    coded.unwrap_or_else(|| secret.to_vec())
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do")
}

/// Whether two secrets are equal, in a time that tells nothing about where they differ.
pub(super) fn is_same(ours: &[u8], given: &[u8]) -> bool {
    let of = |key| keyed(key).chain_update(b"gitdeploy");
    of(ours).verify_slice(&of(given).finalize().into_bytes()).is_ok()
}

/// What a body is remembered by.
pub(super) fn digest(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    /// The example of GitHub's own documentation.
    const GITHUB: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        let mut map = HeaderMap::new();
        for (name, value) in list.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    fn checked(kind: HookKind, list: &[(&'static str, &str)]) -> Result<(), Rejection> {
        Claim::of(kind, &headers(list), 1_700_000_000_000)?.prove(SECRET, BODY)
    }

    #[test]
    fn the_example_of_github_is_true() {
        let signature = format!("sha256={GITHUB}");
        assert_eq!(checked(HookKind::Github, &[("x-hub-signature-256", &signature)]), Ok(()));
        assert_eq!(checked(HookKind::Generic, &[("x-signature", &signature)]), Ok(()));
    }

    #[test]
    fn gitea_and_forgejo_sign_without_a_prefix() {
        assert_eq!(checked(HookKind::Gitea, &[("x-gitea-signature", GITHUB)]), Ok(()));
        assert_eq!(checked(HookKind::Forgejo, &[("x-forgejo-signature", GITHUB)]), Ok(()));
    }

    #[test]
    fn the_header_of_another_forge_is_no_signature() {
        let signature = format!("sha256={GITHUB}");
        let list = [("x-hub-signature-256", signature.as_str())];
        for kind in [HookKind::Gitea, HookKind::Forgejo, HookKind::Gitlab, HookKind::GitlabSigned] {
            assert_eq!(checked(kind, &list), Err(Rejection::Unsigned), "{kind:?}");
        }
    }

    #[test]
    fn the_weak_old_signature_of_github_is_none() {
        let list = [("x-hub-signature", "sha1=0000000000000000000000000000000000000000")];
        assert_eq!(checked(HookKind::Github, &list), Err(Rejection::Unsigned));
    }

    #[test]
    fn one_wrong_digit_is_a_forgery() {
        let signature = format!("sha256={}8", &GITHUB[..63]);
        let list = [("x-hub-signature-256", signature.as_str())];
        assert_eq!(checked(HookKind::Github, &list), Err(Rejection::Forged));
    }

    #[test]
    fn a_signature_that_is_there_twice_is_none() {
        let signature = format!("sha256={GITHUB}");
        let one = ("x-hub-signature-256", signature.as_str());
        assert_eq!(checked(HookKind::Github, &[one, one]), Err(Rejection::Unsigned));
    }

    #[test]
    fn gitlab_sends_the_secret_itself() {
        let list = [("x-gitlab-token", "It's a Secret to Everybody")];
        assert_eq!(checked(HookKind::Gitlab, &list), Ok(()));
        let list = [("x-gitlab-token", "It's a Secret to Everybod")];
        assert_eq!(checked(HookKind::Gitlab, &list), Err(Rejection::Forged));
    }

    fn signed(id: &str, time: &str, secret: &[u8]) -> String {
        let mac = keyed(secret).chain_update(format!("{id}.{time}.")).chain_update(BODY);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn gitlab_signs_number_and_time_too() {
        let signature = signed("m1", "1700000000", SECRET);
        let list = |id, time| {
            [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", &*signature)]
        };
        assert_eq!(checked(HookKind::GitlabSigned, &list("m1", "1700000000")), Ok(()));
        let other = checked(HookKind::GitlabSigned, &list("m2", "1700000000"));
        assert_eq!(other, Err(Rejection::Forged));
        let later = checked(HookKind::GitlabSigned, &list("m1", "1700000001"));
        assert_eq!(later, Err(Rejection::Forged));
    }

    #[test]
    fn a_signed_message_of_another_time_is_refused_unread() {
        for time in ["1699999699", "1700000301", "99999999999999999999", "-1", ""] {
            let signature = signed("m1", time, SECRET);
            let list = [
                ("webhook-id", "m1"),
                ("webhook-timestamp", time),
                ("webhook-signature", &*signature),
            ];
            assert!(checked(HookKind::GitlabSigned, &list).is_err(), "{time}");
        }
    }

    #[test]
    fn while_a_secret_is_exchanged_either_signature_will_do() {
        let both =
            format!("{} {}", signed("m", "1700000000", b"old"), signed("m", "1700000000", SECRET));
        let list = [
            ("webhook-id", "m"),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", &*both),
        ];
        assert_eq!(checked(HookKind::GitlabSigned, &list), Ok(()));
    }

    #[test]
    fn a_secret_of_standard_webhooks_is_decoded() {
        assert_eq!(key(b"whsec_c2VjcmV0"), b"secret");
        assert_eq!(key(b"whsec_?"), b"whsec_?");
    }

    #[test]
    fn events_that_move_no_branch_wake_nobody() {
        let claim = |event: &str| {
            let list = [("x-gitlab-token", "x"), ("x-gitlab-event", event)];
            Claim::of(HookKind::Gitlab, &headers(&list), 0).expect("a claim").may_be_push()
        };
        assert!(claim("Push Hook") && claim("Tag Push Hook") && claim("System Hook"));
        assert!(!claim("Note Hook") && !claim("Issue Hook"));
    }

    #[test]
    fn what_is_no_hexadecimal_is_no_signature() {
        for bad in [
            "",
            "sha256=",
            "sha256=xyz",
            &format!("sha256=é{}", &GITHUB[2..]),
            &format!("{GITHUB}0"),
        ] {
            let map = HeaderMap::from_iter([(
                HeaderName::from_static("x-hub-signature-256"),
                HeaderValue::from_bytes(bad.as_bytes()).expect("a value"),
            )]);
            assert_eq!(Claim::of(HookKind::Github, &map, 0), Err(Rejection::Unsigned), "{bad}");
        }
    }
}
