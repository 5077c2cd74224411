//! How a backend and its servers are called by the proxies, in the file and at run time alike.

use sha2::{Digest, Sha256};

use crate::model::{Backend, BackendKey, Endpoint};

/// Health questions of HAProxy: out after two failures within 0.6 s, back after one success. A server
/// that is added at run time is down until its first answer, and a switch waits for that, so those
/// that are down are asked most often. Such servers inherit no defaults, so each says it. With units:
/// HAProxy 3 takes a small number without one for a mistake.
const CHECK: &str = "check inter 500ms fastinter 100ms downinter 50ms fall 2 rise 1";

/// Leaves room below for smaller shares; HAProxy's largest is 256.
const WEIGHT: u32 = 100;

/// A server in HAProxy's words, beginning with its name: what follows `server ` in the file, and
/// `add server BACKEND/` on the runtime socket.
pub fn runtime_server(backend: &Backend, name: &str, endpoint: &Endpoint) -> String {
    match backend.check {
        Some(_) => format!("{name} {endpoint} {CHECK} weight {WEIGHT}"),
        None => format!("{name} {endpoint} weight {WEIGHT}"),
    }
}

/// The name of nginx's `upstream`, which knows no capital letters: the key, marked with a hash
/// where it had to be changed.
pub fn upstream_name(key: &BackendKey) -> String {
    let text = key.to_string();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    let lower = text.to_lowercase().replace(|c| !is_plain(c), "_");
    let sum: String =
        Sha256::digest(&text).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{lower}-{sum}")
}
