//! The fleet as it was at one moment, fit to be given away: what could be secret is replaced by a
//! keyed hash, and the whole is signed.
//!
//! Whoever has the key can see that it is genuine and compare values; whoever knows its public half
//! can see that it is genuine. Anybody else can plan with it all the same, and is told what he cannot
//! know.

mod key;
mod redact;
mod settle;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{
    Fault, HostName, HostState, Millis, Observed, Owner, Plan, ProxyPlace, ProxyState, Seen,
};
use crate::ports::Wanted;
use crate::ssh::PublicKey;

pub use key::{KeyError, PictureKey};
use redact::PREFIX;
pub use settle::Beside;

/// The format; any other one is refused.
const FORMAT: u32 = 2;

/// A fleet at one moment.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Whose.
    pub owner: Owner,
    /// When it was taken.
    pub at: Millis,
    /// How far it can be trusted.
    pub trust: Trust,
    observed: Observed,
    looked_for: LookedFor,
}

/// How far a picture can be trusted. That nobody has changed it since it was signed, was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It was signed with the key that was given, or with one of those that are trusted.
    Vouched(PublicKey),
    /// It was signed with a key that nobody has named: anybody may have made it.
    Unknown(PublicKey),
}

impl Trust {
    /// Who signed it.
    pub fn signer(&self) -> &PublicKey {
        let (Self::Vouched(signer) | Self::Unknown(signer)) = self;
        signer
    }
}

/// Whose pictures are taken for genuine. What is named must fit: the key and one of the trusted ones,
/// where there are both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trusted<'a> {
    /// The key itself.
    pub key: Option<&'a PictureKey>,
    /// Public keys, any of which will do; with none, none is asked for.
    pub signers: &'a [PublicKey],
}

/// Why a file is no picture that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// It is no picture at all.
    #[error("it is not what `gitdeploy snapshot` wrote: {0}")]
    NotAPicture(String),
    /// Another release wrote it.
    #[error("it has format {0}, and this release reads {FORMAT}")]
    OtherFormat(u32),
    /// Nobody signed it.
    #[error("it is not signed")]
    Unsigned,
    /// It was signed with another key.
    #[error("it was signed with the key {signed}, and the one given is {given}")]
    OtherKey {
        /// The fingerprint of the key it was signed with.
        signed: String,
        /// That of the given one.
        given: String,
    },
    /// It was signed with a key that is not trusted.
    #[error("it was signed with the key {signed}, and trusted {} {}",
        if trusted.contains(", ") { "are" } else { "is" }, trusted)]
    NotTrusted {
        /// The fingerprint of the key it was signed with.
        signed: String,
        /// Those of the trusted ones.
        trusted: String,
    },
    /// It was changed since.
    #[error("its signature does not fit: it was changed after it had been signed")]
    Forged,
}

/// The first line of a picture's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    gitdeploy_snapshot: u32,
    #[serde(default)]
    signer: String,
    #[serde(default)]
    signature: String,
}

/// What else is in the file, and what the signature is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    owner: Owner,
    at: Millis,
    looked_for: LookedFor,
    hosts: BTreeMap<HostName, Result<HostState, Fault>>,
    proxies: Vec<(ProxyPlace, Result<ProxyState, Fault>)>,
}

/// What was asked for by name: of anything else it is not known whether it is there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LookedFor {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
}

impl Picture {
    /// What was seen, as the text of a file: redacted and signed. `passes` says whether values of
    /// the process are part of specifications.
    pub fn taken(
        owner: &Owner,
        mut observed: Observed,
        wanted: Wanted,
        passes: bool,
        key: &PictureKey,
    ) -> Result<String, KeyError> {
        redact::observed(&mut observed, owner, passes, key);
        let body = Body {
            owner: owner.clone(),
            at: observed.at,
            looked_for: LookedFor { networks: wanted.networks, volumes: wanted.volumes },
            hosts: observed.hosts,
            proxies: observed.proxies.into_iter().collect(),
        };
        let body = serde_json::to_string(&body).expect("plain data with text keys");
        let head = Head {
            gitdeploy_snapshot: FORMAT,
            signer: key.signer().to_string(),
            signature: key.sign(body.as_bytes())?,
        };
        let head = serde_json::to_string(&head).expect("plain data with text keys");
        Ok(format!("{head}\n{body}\n"))
    }

    /// Reads such a text. What was changed since it was signed is never taken; nor is, where anybody
    /// is trusted, what somebody else has signed.
    pub fn read(text: &str, trusted: Trusted<'_>) -> Result<Self, PictureError> {
        let bad = |why: &dyn std::fmt::Display| PictureError::NotAPicture(why.to_string());
        let (head, body) = text.split_once('\n').ok_or_else(|| bad(&"it is too short"))?;
        let head: serde_json::Value = serde_json::from_str(head).map_err(|error| bad(&error))?;
        let format = head["gitdeploy_snapshot"].as_u64();
        let format = format.ok_or_else(|| bad(&"it does not say so"))?;
        if format != u64::from(FORMAT) {
            return Err(PictureError::OtherFormat(u32::try_from(format).unwrap_or(u32::MAX)));
        }
        let head: Head = serde_json::from_value(head).map_err(|error| bad(&error))?;
        // All but the end of the line is signed.
        let body = body.strip_suffix('\n').unwrap_or(body);
        let trust = trusted.trust(&head, body)?;
        let Body { owner, at, looked_for, hosts, proxies } =
            serde_json::from_str(body).map_err(|error| bad(&error))?;
        let proxies = proxies.into_iter().collect();
        Ok(Self {
            owner,
            at,
            trust,
            observed: Observed { at, hosts, proxies, took: BTreeMap::new() },
            looked_for,
        })
    }
}

impl Trusted<'_> {
    fn trust(&self, head: &Head, body: &str) -> Result<Trust, PictureError> {
        if head.signer.is_empty() || head.signature.is_empty() {
            return Err(PictureError::Unsigned);
        }
        let signer: PublicKey = head.signer.parse().map_err(|_| PictureError::Forged)?;
        if !key::has_signed(&signer, body.as_bytes(), &head.signature) {
            return Err(PictureError::Forged);
        }
        let signed = || signer.fingerprint();
        if let Some(key) = self.key.filter(|key| key.signer() != signer) {
            let given = key.signer().fingerprint();
            return Err(PictureError::OtherKey { signed: signed(), given });
        }
        if !self.signers.is_empty() && !self.signers.contains(&signer) {
            let trusted: Vec<String> = self.signers.iter().map(PublicKey::fingerprint).collect();
            return Err(PictureError::NotTrusted { signed: signed(), trusted: trusted.join(", ") });
        }
        let nobody = self.key.is_none() && self.signers.is_empty();
        Ok(if nobody { Trust::Unknown(signer) } else { Trust::Vouched(signer) })
    }
}

/// Takes hashes out of what people read: they stand for values that are not known.
pub fn hide_hashes(plan: &mut Plan) {
    let is_hash =
        |seen: &Option<Seen>| matches!(seen, Some(Seen::Text(text)) if text.contains(PREFIX));
    for change in plan.stacks.values_mut().flat_map(|stack| &mut stack.changes) {
        for field in change.fields.iter_mut().filter(|field| is_hash(&field.old)) {
            field.old = Some(Seen::Hidden);
            field.new = field.new.as_ref().map(|_| Seen::Hidden);
        }
    }
}

#[cfg(test)]
mod tests;
