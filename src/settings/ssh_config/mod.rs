//! How to log in to a host: the inventory's word, under it `~/.ssh/config`, under that what `ssh`
//! itself would do.
//!
//! Of OpenSSH's client configuration, the part that says where a connection goes is read:
//! `Host`, `Match` (`all`, `host`, `originalhost`, `user`, `localuser`), `Include`, `HostName`,
//! `Port`, `User`, `IdentityFile`, `ProxyJump`, `UserKnownHostsFile`. Other keywords are passed
//! over, since they are about sessions that we do not have; what would change where we connect
//! and is not done, such as `ProxyCommand` or `Match exec`, is a warning. All of it is warnings:
//! the file is not the repository's, and most of it is about other hosts.
//!
//! The text comes in as a parameter, and so do included files: nothing here reads the disk.

mod lookup;
mod parse;
mod target;
#[cfg(test)]
mod tests;

pub use parse::{Included, SshConfig};
pub use target::{LocalUser, SshTarget, ssh_target};
