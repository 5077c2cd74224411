//! Tells a usable private key from one under a passphrase, by its wrapping alone.
//!
//! libssh2 gives all ways in which a key cannot be used the same number and then gives up, so
//! this is found out before it gets one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a file that should be a private key is.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A key as it is.
    Plain,
    /// A key under a passphrase.
    Locked,
    /// Something else.
    Foreign,
}

impl KeyFile {
    /// What `text` is, as far as its wrapping tells.
    pub fn of(text: &str) -> Self {
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----") {
            let body: String =
                rest.chars().take_while(|c| *c != '-').filter(|c| !c.is_whitespace()).collect();
            // The magic, the cipher's name with its length: the first thirty bytes tell.
            let head = body.get(..40).and_then(|head| STANDARD.decode(head).ok());
            return match head {
                Some(head) if head.starts_with(b"openssh-key-v1\0\0\0\0\x04none") => Self::Plain,
                Some(head) if head.starts_with(b"openssh-key-v1\0") => Self::Locked,
                _ => Self::Foreign,
            };
        }
        if text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || text
                .lines()
                .take(3)
                .any(|line| line.starts_with("Proc-Type:") && line.contains("ENC"))
        {
            return Self::Locked;
        }
        let first = text.lines().next().unwrap_or_default();
        let is_key = first.starts_with("-----BEGIN ") && first.ends_with("PRIVATE KEY-----");
        if is_key { Self::Plain } else { Self::Foreign }
    }
}

/// A file of OpenSSH's kind with nothing behind its head.
#[cfg(test)]
pub(crate) fn openssh(cipher: &str) -> String {
    let mut bytes = b"openssh-key-v1\0\0\0\0".to_vec();
    bytes.push(u8::try_from(cipher.len()).expect("short"));
    bytes.extend_from_slice(cipher.as_bytes());
    bytes.extend_from_slice(&[0; 40]);
    let body = STANDARD.encode(bytes);
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_keys_are_told_from_plain_ones() {
        assert_eq!(KeyFile::of(&openssh("none")), KeyFile::Plain);
        assert_eq!(KeyFile::of(&openssh("aes256-ctr")), KeyFile::Locked);
        let pem = "-----BEGIN RSA PRIVATE KEY-----\n";
        assert_eq!(KeyFile::of(&format!("{pem}MIIE\n")), KeyFile::Plain);
        assert_eq!(KeyFile::of(&format!("{pem}Proc-Type: 4,ENCRYPTED\n")), KeyFile::Locked);
        assert_eq!(KeyFile::of("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), KeyFile::Locked);
        assert_eq!(KeyFile::of("ssh-ed25519 AAAA comment"), KeyFile::Foreign);
        assert_eq!(KeyFile::of(""), KeyFile::Foreign);
    }
}
