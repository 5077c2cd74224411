//! The comments at the top of a managed file: whose it is, and the table it was rendered from.
//!
//! The hash covers all that follows its line, the table included, so an edit anywhere below shows.
//! The table is one line of JSON, cut into pieces: nginx reads no token of more than 4096 bytes,
//! not even a comment.

use sha2::{Digest, Sha256};

use crate::model::{Owner, RoutingTable};

/// Counts incompatible changes of the header.
const FORMAT: u32 = 1;
const MARKER: &str = "# gitdeploy ";
const OWNER: &str = "# owner: ";
const HASH: &str = "# sha256: ";
const TABLE: &str = "# table: ";
/// Between the table and the body.
const END: &str = "#";
/// Bytes of JSON in one line, well under nginx's 4096.
const PIECE: usize = 1500;

/// What a managed file is to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Managed {
    /// There is none, or an empty one that a person put there for the proxy to start with.
    Absent,
    /// It is ours.
    Ours {
        /// What it was rendered from.
        table: RoutingTable,
        /// Whether somebody changed it since.
        edited: bool,
    },
    /// It is somebody else's, and stays as it is.
    Foreign {
        /// In words, to follow "the file …".
        why: String,
    },
}

/// Puts the header before a body.
pub(super) fn write(owner: &Owner, table: &RoutingTable, body: &str) -> String {
    let json = serde_json::to_string(table).expect("a table has only text keys");
    let mut rest = format!("# generation: {}\n", table.generation);
    for piece in pieces(&json) {
        rest.push_str(TABLE);
        rest.push_str(piece);
        rest.push('\n');
    }
    rest.push_str(END);
    rest.push('\n');
    rest.push_str(body);
    if !body.ends_with('\n') {
        rest.push('\n');
    }
    format!(
        "{MARKER}{FORMAT}: generation {}; written by gitdeploy, do not edit\n\
         {OWNER}{}\n{HASH}{}\n{rest}",
        table.generation,
        shown(owner),
        hash(&rest),
    )
}

/// What the file is to this owner. Any text is answered, however broken.
pub fn read(owner: &Owner, text: Option<&str>) -> Managed {
    match text {
        None => Managed::Absent,
        Some(text) if text.trim().is_empty() => Managed::Absent,
        Some(text) => ours(owner, text).unwrap_or_else(|why| Managed::Foreign { why }),
    }
}

fn ours(owner: &Owner, text: &str) -> Result<Managed, String> {
    let (first, rest) = line(text);
    let format = first.strip_prefix(MARKER).and_then(|rest| rest.split_once(':'));
    let Some((format, _)) = format else {
        return Err(
            "was not written by gitdeploy; move it away, or name another in `config`".into()
        );
    };
    match format.parse::<u32>() {
        Ok(FORMAT) => {}
        Ok(newer) if newer > FORMAT => {
            return Err(format!(
                "was written by a newer gitdeploy (format {newer}, this one knows {FORMAT}); \
                 use that version"
            ));
        }
        Ok(_) | Err(_) => return Err(broken("its first line is unknown")),
    }
    let (said, rest) = field(rest, OWNER)?;
    if said != shown(owner) {
        return Err(format!("belongs to {said}, not to {}", shown(owner)));
    }
    let (sum, below) = field(rest, HASH)?;
    let (_, mut rest) = line(below);
    let mut json = String::new();
    while let (Some(piece), below) = (line(rest).0.strip_prefix(TABLE), line(rest).1) {
        json.push_str(piece);
        rest = below;
    }
    match serde_json::from_str(&json) {
        Ok(table) => Ok(Managed::Ours { table, edited: sum != hash(below) }),
        Err(error) => Err(broken(&format!("its table cannot be read: {error}"))),
    }
}

fn field<'a>(text: &'a str, name: &str) -> Result<(&'a str, &'a str), String> {
    let (first, rest) = line(text);
    let value = first.strip_prefix(name);
    let label = || name.trim_start_matches("# ").trim_end_matches(": ");
    Ok((value.ok_or_else(|| broken(&format!("the line `{}` is missing", label())))?, rest))
}

fn broken(what: &str) -> String {
    format!("has a damaged header ({what}); put back a copy, or move the file away")
}

/// The first line, and what follows it.
fn line(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    (first.strip_suffix('\r').unwrap_or(first), rest)
}

fn shown(owner: &Owner) -> String {
    format!("{}/{}", owner.project, owner.environment)
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pieces(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        pieces.push(piece);
        text = rest;
    }
    pieces
}
