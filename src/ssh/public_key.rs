//! Ed25519 public keys as OpenSSH writes them, and what it signs of a text: its format has a name for
//! what a signature is about, so that one for a purpose is none for another.
//!
//! Only texts and bytes: who signs and who checks does it elsewhere.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha512};
use thiserror::Error;

/// The kind that is read; no other one signs in a way of which there is only one.
const KIND: &str = "ssh-ed25519";

/// How long a signature is.
pub const SIGNATURE: usize = 64;

/// What OpenSSH's signatures of files begin with, and what they are about.
const MAGIC: &[u8] = b"SSHSIG";

/// Who signs: the public half of an Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// Why a text is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublicKeyError {
    /// It begins otherwise.
    #[error("a public key begins with `{KIND}`")]
    Kind,
    /// What follows is not what it has to be.
    #[error("what follows `{KIND}` is not a whole key")]
    Body,
}

impl PublicKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As OpenSSH prints it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        super::fingerprint(&self.blob())
    }

    /// What OpenSSH signs of `text` for a purpose.
    pub fn signed_of(purpose: &str, text: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for part in [purpose.as_bytes(), b"", b"sha512", &Sha512::digest(text)] {
            put(&mut bytes, part);
        }
        bytes
    }

    /// A signature of this key as OpenSSH writes it, without the lines around it.
    pub fn signature_text(&self, purpose: &str, signature: &[u8; SIGNATURE]) -> String {
        let mut inner = Vec::new();
        put(&mut inner, KIND.as_bytes());
        put(&mut inner, signature);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1_u32.to_be_bytes());
        for part in [&self.blob(), purpose.as_bytes(), b"", b"sha512", &inner] {
            put(&mut bytes, part);
        }
        STANDARD.encode(bytes)
    }

    /// The signature of such a text; `None` if the text is any other than
    /// [`signature_text`](Self::signature_text) would write for this key and purpose.
    pub fn signature_of(&self, purpose: &str, text: &str) -> Option<[u8; SIGNATURE]> {
        let bytes = STANDARD.decode(text).ok()?;
        let signature = *bytes.last_chunk::<SIGNATURE>()?;
        (self.signature_text(purpose, &signature) == text).then_some(signature)
    }

    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        put(&mut blob, KIND.as_bytes());
        put(&mut blob, &self.0);
        blob
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    /// Reads a line of a `.pub` file; what stands behind the key does not count.
    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(KIND) {
            return Err(PublicKeyError::Kind);
        }
        let blob = STANDARD.decode(words.next().unwrap_or_default());
        let blob = blob.map_err(|_| PublicKeyError::Body)?;
        let key = blob.last_chunk::<32>().copied().map(Self).ok_or(PublicKeyError::Body)?;
        if key.blob() == blob { Ok(key) } else { Err(PublicKeyError::Body) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND} {}", STANDARD.encode(self.blob()))
    }
}

/// A string as SSH has it: its length and its bytes.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).expect("keys, names and digests are short");
    bytes.extend(length.to_be_bytes());
    bytes.extend(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

    fn key() -> PublicKey {
        PublicKey::new([7; 32])
    }

    #[test]
    fn a_key_reads_back_with_or_without_a_comment() {
        assert_eq!(key().to_string(), LINE);
        assert_eq!(LINE.parse(), Ok(key()));
        assert_eq!(format!("  {LINE} snapshots of acme\n").parse(), Ok(key()));
    }

    #[test]
    fn anything_else_is_no_key() {
        let read = |text: &str| text.parse::<PublicKey>();
        for text in ["", "AAAA", "ssh-rsa AAAAB3NzaC1yc2E", "# ssh-ed25519 AAAA"] {
            assert_eq!(read(text), Err(PublicKeyError::Kind), "{text}");
        }
        let longer = LINE.replace("AAAAC3", "AAAAAAAAC3");
        for text in ["ssh-ed25519", "ssh-ed25519 é", &LINE[..LINE.len() - 4], &longer] {
            assert_eq!(read(text), Err(PublicKeyError::Body), "{text}");
        }
    }

    #[test]
    fn a_signature_is_written_in_one_way_only() {
        let signature = [9; SIGNATURE];
        let text = key().signature_text("test", &signature);
        assert_eq!(key().signature_of("test", &text), Some(signature));
        assert_eq!(key().signature_of("other", &text), None);
        assert_eq!(PublicKey::new([8; 32]).signature_of("test", &text), None);
        for changed in [format!("{text}="), format!(" {text}"), text[4..].to_owned(), String::new()]
        {
            assert_eq!(key().signature_of("test", &changed), None, "{changed}");
        }
    }

    #[test]
    fn a_text_for_one_purpose_is_not_that_of_another() {
        assert_ne!(PublicKey::signed_of("a", b"x"), PublicKey::signed_of("b", b"x"));
        assert_ne!(PublicKey::signed_of("a", b"x"), PublicKey::signed_of("a", b"y"));
    }
}
