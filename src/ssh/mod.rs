//! What OpenSSH's own files say, as texts read into values: which keys a host may have, what a private
//! key's file is, and who signed what.
//!
//! Whoever connects over SSH, for a repository or for a host, decides by these rules and no others.
//! Nothing here opens a file or a connection.

mod key_file;
pub mod known_hosts;
mod public_key;

pub use key_file::KeyFile;
#[cfg(test)]
pub(crate) use key_file::openssh;
pub use known_hosts::{KnownHosts, Verdict, fingerprint};
pub use public_key::{PublicKey, PublicKeyError, SIGNATURE};
