//! What must outlive a daemon: what people ordered of it, and what it has learnt not to do again.
//!
//! Everything else is asked of the hosts. It is written as text of a numbered version, and read
//! again whole or not at all: a text of which only half is understood could have held a stack that
//! would then be deployed. No secret is in it: of a failure, its first line is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RoundEnd;
use crate::model::{CommitId, Millis, Name, PlanId, StackName};

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// What is kept of all stacks, by source. A stack of which nothing must be kept is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// By source, by stack.
    pub sources: BTreeMap<Name, BTreeMap<StackName, Kept>>,
}

/// What is kept of one stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The pause that somebody ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The plan that somebody approved and that has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
    /// What failed of the newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// What failed when drift was put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealed: Option<Failure>,
    /// When rounds began that put drift right, as far as they count in the budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub healed: Vec<Millis>,
}

/// A pause that was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Until when; `None`: until it is resumed.
    pub until: Option<Millis>,
    /// Why.
    pub reason: String,
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Of which plan.
    pub plan: PlanId,
    /// By whom.
    pub by: String,
}

/// A round that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// For which commit.
    pub commit: CommitId,
    /// What that wants of the stack, and where: another commit with the same mark fails like it.
    /// `None`: that the stack is gone.
    pub mark: Option<String>,
    /// How it ended.
    pub end: RoundEnd,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again; `None`: when something changes.
    pub until: Option<Millis>,
    /// The first line of why.
    pub message: String,
}

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another release wrote it.
    #[error("it is of version {0}, and this release reads version {VERSION}")]
    Version(u64),
    /// It was damaged, or never was such a text.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The text: its version is read first, whatever else it says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<T> {
    version: u64,
    sources: T,
}

#[derive(Deserialize)]
struct Head {
    version: u64,
}

impl Memory {
    /// As text. The same memory is the same text.
    pub fn text(&self) -> String {
        let text = Text { version: VERSION, sources: &self.sources };
        let text = serde_json::to_string_pretty(&text).expect("keys are texts");
        text + "\n"
    }

    /// What a text says.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
        let Head { version } = serde_json::from_str(text).map_err(damaged)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let Text { sources, version: _ } = serde_json::from_str(text).map_err(damaged)?;
        Ok(Self { sources })
    }
}

impl Kept {
    /// Whether nothing is to be kept.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let name = |text: &str| Name::parse(text).expect("a name");
        let failure = |until| Failure {
            commit: CommitId::new("b"),
            mark: Some("12".to_owned()),
            end: RoundEnd::RolledBack,
            attempts: 1,
            until,
            message: "web was not ready".to_owned(),
        };
        let kept = Kept {
            pause: Some(Pause { until: None, reason: "an \"audit\"".to_owned() }),
            approved: Some(Approval { plan: PlanId("p".to_owned()), by: "anna".to_owned() }),
            failed: Some(failure(None)),
            unhealed: Some(failure(Some(5))),
            healed: vec![1, 2],
        };
        let paused = Kept { pause: kept.pause.clone(), ..Kept::default() };
        let stacks = BTreeMap::from([(name("web").into(), kept), (name("db").into(), paused)]);
        Memory { sources: BTreeMap::from([(name("shop"), stacks)]) }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Memory::read(&memory().text()), Ok(memory()));
        assert_eq!(Memory::read(&Memory::default().text()), Ok(Memory::default()));
    }

    #[test]
    fn what_is_not_known_of_a_stack_takes_no_place() {
        let mut memory = memory();
        let stacks = memory.sources.values_mut().next().expect("a source");
        stacks.retain(|name, _| name.as_str() == "db");
        insta::assert_snapshot!(memory.text(), @r#"
        {
          "version": 1,
          "sources": {
            "shop": {
              "db": {
                "pause": {
                  "until": null,
                  "reason": "an \"audit\""
                }
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn a_text_of_another_version_is_named_even_if_it_is_another_text() {
        for text in [r#"{"version": 2, "stacks": []}"#, r#"{"sources": {}, "version": 2}"#] {
            assert_eq!(Memory::read(text), Err(Unreadable::Version(2)), "{text}");
        }
    }

    #[test]
    fn half_a_text_is_none() {
        let text = memory().text();
        for end in 0..text.len() - 1 {
            let half = text.get(..end).unwrap_or_default();
            if half.trim_end() == text.trim_end() {
                continue;
            }
            assert!(matches!(Memory::read(half), Err(Unreadable::Damaged(_))), "{half}");
        }
    }

    #[test]
    fn what_this_release_does_not_know_is_not_left_out() {
        let text = memory().text().replace("\"pause\"", "\"frozen\"");
        let why = Memory::read(&text).expect_err("it says more");
        assert!(why.to_string().contains("unknown field `frozen`"), "{why}");
    }
}
