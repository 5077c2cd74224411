//! Whether an SSH host's key is the one that `known_hosts` has for it.
//!
//! Decides by the file's text alone, with OpenSSH's rules: hashed names, `[host]:port`, patterns
//! with `*`, `?` and `!`, `@revoked`. A line that is not understood is passed over, so that one
//! strange line does not make every host unknown. Keys are never added here.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What the files say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// No file has a key of this kind for the host.
    Unknown,
    /// A file has another key of the same kind.
    Changed {
        /// The file.
        file: PathBuf,
        /// The line of the other key, counted from 1.
        line: usize,
    },
    /// A file says that this key must not be trusted.
    Revoked {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
}

/// The text of one `known_hosts` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    /// Where it is.
    pub file: PathBuf,
    /// Its text; empty when it is not there.
    pub text: String,
}

/// How `known_hosts` names a host at a port.
pub fn name(host: &str, port: u16) -> String {
    if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") }
}

/// The kind of a key, as its first field says: `ssh-ed25519`.
pub fn kind(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

/// A key's fingerprint as OpenSSH prints it: `SHA256:…`.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// Judges `key`, shown by `host` at `port`.
pub fn judge(files: &[KnownHosts], host: &str, port: u16, key: &[u8]) -> Verdict {
    let exact = judge_name(files, &name(host, port), key);
    // OpenSSH accepts a key that is noted for the host without a port, and nothing more of it.
    if exact == Verdict::Unknown && port != 22 {
        return match judge_name(files, host, key) {
            Verdict::Changed { .. } => Verdict::Unknown,
            verdict => verdict,
        };
    }
    exact
}

/// The kinds of key that the files have for `host` at `port`, each once.
pub fn noted_kinds(files: &[KnownHosts], host: &str, port: u16) -> Vec<String> {
    let mut kinds: Vec<String> = files
        .iter()
        .flat_map(|known| known.text.lines())
        .filter_map(Entry::parse)
        .filter(|entry| entry.marker.is_none() && entry.names(&name(host, port)))
        .filter_map(|entry| kind(&entry.key).map(str::to_owned))
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// The first line that libssh2 stumbles over, counted from 1: it wants a name and twenty more
/// letters at least.
pub fn strange_line(text: &str) -> Option<usize> {
    let is_strange = |line: &str| {
        let line = line.trim_start_matches([' ', '\t']);
        let is_entry = !line.is_empty() && !line.starts_with('#');
        let key = line.split_once([' ', '\t']).map_or("", |(_, key)| key.trim());
        is_entry && key.len() < 20
    };
    text.lines().position(is_strange).map(|index| index + 1)
}

fn judge_name(files: &[KnownHosts], name: &str, key: &[u8]) -> Verdict {
    let mut verdict = Verdict::Unknown;
    for KnownHosts { file, text } in files {
        for (index, line) in text.lines().enumerate() {
            let Some(entry) = Entry::parse(line) else { continue };
            if !entry.names(name) {
                continue;
            }
            let at = |file: &Path| (file.to_owned(), index + 1);
            match entry.marker {
                Some("@revoked") if entry.key == key => {
                    let (file, line) = at(file);
                    return Verdict::Revoked { file, line };
                }
                // A certificate authority's key says nothing about a plain one.
                Some(_) => {}
                None if entry.key == key => verdict = Verdict::Known,
                None if verdict == Verdict::Unknown && kind(&entry.key) == kind(key) => {
                    let (file, line) = at(file);
                    verdict = Verdict::Changed { file, line };
                }
                None => {}
            }
        }
    }
    verdict
}

/// One line.
struct Entry<'a> {
    marker: Option<&'a str>,
    names: &'a str,
    key: Vec<u8>,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let mut first = fields.next().filter(|field| !field.starts_with('#'))?;
        let mut marker = None;
        if first.starts_with('@') {
            marker = Some(first);
            first = fields.next()?;
        }
        let _kind = fields.next()?;
        let key = STANDARD.decode(fields.next()?).ok()?;
        Some(Self { marker, names: first, key })
    }

    fn names(&self, name: &str) -> bool {
        if let Some(hashed) = self.names.strip_prefix("|1|") {
            return is_hash_of(hashed, name);
        }
        let mut is_named = false;
        for pattern in self.names.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern, name) => return false,
                Some(_) => {}
                None => is_named |= matches(pattern, name),
            }
        }
        is_named
    }
}

/// Whether `hashed`, a salt and an HMAC-SHA1 in base64 with `|` between, was made from `name`.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// Whether `name` is what `pattern` describes, with `*` for any letters and `?` for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when the last `*` has to take one letter more.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                p = after;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, body: u8) -> Vec<u8> {
        let mut key = u32::try_from(kind.len()).expect("short").to_be_bytes().to_vec();
        key.extend_from_slice(kind.as_bytes());
        key.extend_from_slice(&[body; 8]);
        key
    }

    fn line(names: &str, key: &[u8]) -> String {
        format!("{names} {} {} comment\n", kind(key).expect("a kind"), STANDARD.encode(key))
    }

    fn judged(text: &str, host: &str, port: u16, key: &[u8]) -> Verdict {
        judge(&[KnownHosts { file: "kh".into(), text: text.to_owned() }], host, port, key)
    }

    #[test]
    fn a_noted_key_is_known_under_each_of_its_names() {
        let key = key("ssh-ed25519", 1);
        let text = line("host,10.0.0.1,[other]:2222,*.example,!bad.example", &key);
        assert_eq!(judged(&text, "host", 22, &key), Verdict::Known);
        assert_eq!(judged(&text, "10.0.0.1", 22, &key), Verdict::Known);
        assert_eq!(judged(&text, "other", 2222, &key), Verdict::Known);
        assert_eq!(judged(&text, "good.example", 22, &key), Verdict::Known);
        assert_eq!(judged(&text, "bad.example", 22, &key), Verdict::Unknown);
        assert_eq!(judged(&text, "other", 22, &key), Verdict::Unknown);
        assert_eq!(judged(&text, "hosts", 22, &key), Verdict::Unknown);
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        let key = key("ssh-ed25519", 1);
        let mut mac = Hmac::<Sha1>::new_from_slice(b"saltsaltsaltsaltsalt").expect("any length");
        mac.update(b"[host]:2222");
        let hash = STANDARD.encode(mac.finalize().into_bytes());
        let names = format!("|1|{}|{hash}", STANDARD.encode(b"saltsaltsaltsaltsalt"));
        let text = line(&names, &key);
        assert_eq!(judged(&text, "host", 2222, &key), Verdict::Known);
        assert_eq!(judged(&text, "host", 22, &key), Verdict::Unknown);
    }

    #[test]
    fn another_key_of_the_same_kind_is_a_change() {
        let text = line("host", &key("ssh-ed25519", 1));
        let changed = Verdict::Changed { file: "kh".into(), line: 2 };
        let text = format!("# a comment\n{text}");
        assert_eq!(judged(&text, "host", 22, &key("ssh-ed25519", 2)), changed);
        assert_eq!(judged(&text, "host", 22, &key("ssh-rsa", 2)), Verdict::Unknown);
        assert_eq!(judged(&text, "host", 2222, &key("ssh-ed25519", 2)), Verdict::Unknown);
    }

    #[test]
    fn a_key_noted_without_port_is_known_at_every_port() {
        let key = key("ssh-ed25519", 1);
        assert_eq!(judged(&line("host", &key), "host", 2222, &key), Verdict::Known);
    }

    #[test]
    fn a_revoked_key_is_never_known() {
        let key = key("ssh-ed25519", 1);
        let text = format!("{}@revoked {}", line("host", &key), line("*", &key));
        let revoked = Verdict::Revoked { file: "kh".into(), line: 2 };
        assert_eq!(judged(&text, "host", 22, &key), revoked);
    }

    #[test]
    fn the_key_of_an_authority_is_not_the_hosts() {
        let key = key("ssh-ed25519", 1);
        let text = format!("@cert-authority {}", line("*", &key));
        assert_eq!(judged(&text, "host", 22, &key), Verdict::Unknown);
    }

    #[test]
    fn garbage_and_carriage_returns_spoil_only_their_own_line() {
        let key = key("ssh-ed25519", 1);
        let good = line("host", &key).replace('\n', "\r\n");
        let text = format!("garbage\n|1|x host\n@\nhost ssh-ed25519 !!!\n{good}");
        assert_eq!(judged(&text, "host", 22, &key), Verdict::Known);
        assert_eq!(kind(&[0, 0]), None);
        assert_eq!(kind(&[255, 255, 255, 255, 1]), None);
    }

    #[test]
    fn the_kinds_that_are_noted_and_the_line_that_is_strange_are_told() {
        let text = line("host", &key("ssh-rsa", 1)) + &line("other", &key("ssh-ed25519", 1));
        let known = [KnownHosts { file: "kh".into(), text: text.clone() }];
        assert_eq!(noted_kinds(&known, "host", 22), ["ssh-rsa"]);
        assert_eq!(noted_kinds(&known, "host", 2222), [""; 0]);
        assert_eq!(strange_line(&text), None);
        assert_eq!(strange_line(&format!("# x\n\n{text}garbage\n")), Some(5));
    }

    #[test]
    fn patterns_end_in_time() {
        let name = "a".repeat(200);
        assert!(!matches(&format!("{}b", "*a".repeat(60)), &name));
        assert!(matches("*a*?", &name));
        assert!(matches("", "") && !matches("", "a"));
    }
}
