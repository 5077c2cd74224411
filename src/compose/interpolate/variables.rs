//! Lists the variables that a string names, without values for them.

use std::ops::Range;

use super::pieces::{Action, Piece, Pieces};

/// How deep operands are looked into, as deep as they are ever expanded.
const DEPTH_MAX: usize = 64;

/// One place at which a variable is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The variable.
    pub name: String,
    /// What happens with and without it.
    pub presence: Presence,
    /// From the dollar sign to the closing brace.
    pub range: Range<usize>,
}

/// What a string does with a variable that is set or not.
///
/// Operands are given as written, with the variables in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It may be missing and leaves nothing then.
    Optional,
    /// This is put in its place when it is missing.
    Default(String),
    /// This is put in its place when it is there.
    Alternative(String),
    /// It must be there.
    Required,
}

/// Every variable that `text` names, in the order of the text, operands after their own variable.
///
/// The message of a required variable is not looked into, and whatever is malformed is passed
/// over: a listing should list.
pub fn variables(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    collect(text, 0..text.len(), 0, &mut found);
    found
}

fn collect(text: &str, part: Range<usize>, depth: usize, found: &mut Vec<Mention>) {
    if depth > DEPTH_MAX {
        return;
    }
    for piece in Pieces::new(text, part).flatten() {
        match piece {
            Piece::Text(_) | Piece::Dollar => {}
            Piece::Plain { name, whole } => {
                let name = text[name].to_owned();
                found.push(Mention { name, presence: Presence::Optional, range: whole });
            }
            Piece::Choice { name, rule, operand, whole } => {
                let written = || text[operand.clone()].to_owned();
                let presence = match rule.action {
                    Action::Default => Presence::Default(written()),
                    Action::Presence => Presence::Alternative(written()),
                    Action::Require => Presence::Required,
                };
                let name = text[name].to_owned();
                found.push(Mention { name, presence, range: whole });
                if rule.action != Action::Require {
                    collect(text, operand, depth + 1, found);
                }
            }
        }
    }
}
