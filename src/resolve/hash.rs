//! The fingerprint of a container specification.
//!
//! Stable over releases: the hash is taken over the fields that are set, by name, in sorted order,
//! so that neither a new field nor another order of the struct changes it. The test at the end
//! pins values; a change there replaces every container of every user once.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{ContainerSpec, SpecHash};

/// The hash of everything that makes the container behave as it does.
pub(crate) fn spec_hash(spec: &ContainerSpec) -> SpecHash {
    let mut hash = Sha256::new();
    hash.update(b"gitdeploy container 1\n");
    feed(&mut hash, &tree(spec));
    SpecHash::new(hex(&hash.finalize()))
}

/// SHA-256 of a content, in hexadecimal.
pub(crate) fn content_digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// A value as a tree of its fields, for hashing and for comparing field by field.
///
/// # Panics
/// Never for our own types: their keys are strings and their serialisation does not fail.
pub(crate) fn tree<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("plain data with string keys always serialises")
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Every value with its kind and length, so that no two trees feed the same bytes.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(flag) => hash.update(if *flag { b"t" } else { b"f" }),
        Value::Number(number) => feed_text(hash, b'i', &number.to_string()),
        Value::String(text) => feed_text(hash, b's', text),
        Value::Array(items) => {
            feed_text(hash, b'a', &items.len().to_string());
            for item in items {
                feed(hash, item);
            }
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            feed_text(hash, b'o', &fields.len().to_string());
            for (key, value) in fields {
                feed_text(hash, b'k', key);
                feed(hash, value);
            }
        }
    }
}

fn feed_text(hash: &mut Sha256, kind: u8, text: &str) {
    hash.update([kind]);
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bytes;

    fn spec(image: &str) -> ContainerSpec {
        ContainerSpec { image: image.into(), ..ContainerSpec::default() }
    }

    #[test]
    fn the_hash_is_the_same_in_every_release() {
        assert_eq!(
            spec_hash(&spec("nginx:1.25")).as_str(),
            "97237ca049d61777b22481c8ad8876914929088765055a4dafec538a4c067511"
        );
        let mut rich = spec("nginx:1.25");
        rich.env.insert("A".into(), Some("1".into()));
        rich.env.insert("B".into(), None);
        rich.command = Some(vec!["serve".into(), "--all".into()]);
        rich.limits.memory = Some(Bytes(1 << 20));
        rich.init = Some(false);
        assert_eq!(
            spec_hash(&rich).as_str(),
            "c077202a1728ced4b01382d93dde6572e6c8779a793fdcd7574239425d816dee"
        );
    }

    #[test]
    fn what_differs_in_behaviour_differs_in_hash() {
        let plain = spec("a");
        let cleared = ContainerSpec { command: Some(Vec::new()), ..spec("a") };
        let explicit = ContainerSpec { init: Some(false), ..spec("a") };
        let hashes = [spec_hash(&plain), spec_hash(&cleared), spec_hash(&explicit)];
        assert_ne!(hashes[0], hashes[1]);
        assert_ne!(hashes[0], hashes[2]);
        assert_ne!(hashes[1], hashes[2]);
    }
}
