//! The key that pictures are signed with, and values hashed.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

/// The shortest key that nobody finds by trying.
const LENGTH_MIN: usize = 16;

/// A secret shared by whoever takes pictures and whoever compares with them. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PictureKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a key has {LENGTH_MIN} characters at least")]
pub struct KeyError;

impl PictureKey {
    /// Takes a key as it stands in a file or a variable; spaces around it do not count.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() < LENGTH_MIN { Err(KeyError) } else { Ok(Self(text.to_owned())) }
    }

    /// Tells keys apart without telling them.
    pub fn name(&self) -> String {
        hex(&self.mac(&[b"name"]).finalize().into_bytes()[..4])
    }

    pub(super) fn sign(&self, text: &[u8]) -> String {
        hex(&self.mac(&[b"signature", text]).finalize().into_bytes())
    }

    pub(super) fn has_signed(&self, text: &[u8], signature: &str) -> bool {
        let bytes: Option<Vec<u8>> = (0..signature.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(signature.get(at..at + 2)?, 16).ok())
            .collect();
        // Compared in constant time.
        bytes.is_some_and(|bytes| self.mac(&[b"signature", text]).verify_slice(&bytes).is_ok())
    }

    /// Stands for a value of this name; equal values of other names look different.
    pub(super) fn hash(&self, name: &str, value: &str) -> String {
        let mac = self.mac(&[b"value", name.as_bytes(), value.as_bytes()]);
        hex(&mac.finalize().into_bytes()[..16])
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("any length will do");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for PictureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PictureKey({})", self.name())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
