//! The key that pictures are signed with, and values hashed. A user has one secret text; what signs
//! and what hashes are made of it, each with a label of its own, so that neither tells anything of
//! the other.
//!
//! Who has the secret can sign and compare; who has the public key, which is none, can check.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey};
use openssl::sign::{Signer, Verifier};
use sha2::Sha256;
use thiserror::Error;

use crate::ssh::{PublicKey, SIGNATURE};

/// The shortest key that nobody finds by trying, even if it has digits only of the sixteen: whoever
/// has the public key can try.
const LENGTH_MIN: usize = 32;

/// What signatures are about; one for anything else is none.
const PURPOSE: &str = "gitdeploy-snapshot";

/// A secret shared by whoever takes pictures and whoever compares with them. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PictureKey {
    signs: [u8; 32],
    hashes: [u8; 32],
    signer: PublicKey,
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It could be guessed.
    #[error("a key has {LENGTH_MIN} characters at least")]
    Short,
    /// The library that signs does not take it.
    #[error("OpenSSL on this machine makes no Ed25519 key of it: {0}")]
    Refused(String),
}

impl PictureKey {
    /// Takes a key as it stands in a file or a variable; spaces around it do not count.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() < LENGTH_MIN {
            return Err(KeyError::Short);
        }
        let part = |label: &[u8]| mac(text.as_bytes(), &[b"gitdeploy snapshot", label]);
        let (signs, hashes) = (part(b"signing key"), part(b"key of hashes"));
        let refused = |error: ErrorStack| KeyError::Refused(error.to_string());
        let public = PKey::private_key_from_raw_bytes(&signs, Id::ED25519)
            .and_then(|key| key.raw_public_key())
            .map_err(refused)?;
        let public = public.try_into().map_err(|_| KeyError::Refused("it is too long".to_owned()));
        Ok(Self { signs, hashes, signer: PublicKey::new(public?) })
    }

    /// The public half: tells keys apart without telling them, and is all that is needed to check.
    pub fn signer(&self) -> PublicKey {
        self.signer
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<String, KeyError> {
        let signed = PublicKey::signed_of(PURPOSE, text);
        let mut signature = [0; SIGNATURE];
        PKey::private_key_from_raw_bytes(&self.signs, Id::ED25519)
            .and_then(|key| Signer::new_without_digest(&key)?.sign_oneshot(&mut signature, &signed))
            .map_err(|error| KeyError::Refused(error.to_string()))?;
        Ok(self.signer.signature_text(PURPOSE, &signature))
    }

    /// Stands for a value of this name; equal values of other names look different.
    pub(super) fn hash(&self, name: &str, value: &str) -> String {
        let parts = [b"value", name.as_bytes(), value.as_bytes()];
        mac(&self.hashes, &parts)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether the holder of a key has signed a text.
pub(super) fn has_signed(signer: &PublicKey, text: &[u8], signature: &str) -> bool {
    let Some(signature) = signer.signature_of(PURPOSE, signature) else { return false };
    let signed = PublicKey::signed_of(PURPOSE, text);
    PKey::public_key_from_raw_bytes(signer.bytes(), Id::ED25519)
        .and_then(|key| Verifier::new_without_digest(&key)?.verify_oneshot(&signature, &signed))
        .unwrap_or(false)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for PictureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PictureKey({})", self.signer.fingerprint())
    }
}
