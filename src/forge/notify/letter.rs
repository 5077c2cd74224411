//! What is worth telling, and that each is told once. Plain values.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::diag::printable_name;
use crate::model::{CommitId, Millis, Name, StackName};
use crate::sync::{Notice, NoticeKind, RoundEnd};

/// Letters that are remembered. Beyond that the first by name are forgotten, and may be told again.
const TOLD_MAX: usize = 20_000;

/// The longest text of a letter, in characters.
const TEXT_MAX: usize = 2000;

/// What a letter is about, as the daemon's file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A commit was brought about.
    Synced,
    /// It was not.
    Failed,
    /// It was not, and the stack is as it was before.
    RolledBack,
    /// What runs has changed by itself.
    Drifted,
    /// A plan waits.
    Waits,
    /// Something is wrong with a whole source.
    Troubled,
    /// It is over.
    Recovered,
}

impl About {
    /// As it is written in the daemon's file; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Synced,
            Self::Failed,
            Self::RolledBack,
            Self::Drifted,
            Self::Waits,
            Self::Troubled,
            Self::Recovered,
        ];
        all.into_iter().find(|it| it.word() == word)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Drifted => "drifted",
            Self::Waits => "waits",
            Self::Troubled => "troubled",
            Self::Recovered => "recovered",
        }
    }
}

/// What is told, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Letter {
    /// What it is about.
    pub about: About,
    /// When it happened.
    pub at: Millis,
    /// The number of the notice.
    pub number: u64,
    /// The source.
    pub source: Name,
    /// The stack; `None` for the whole source.
    pub stack: Option<StackName>,
    /// The commit, where there is one.
    pub commit: Option<CommitId>,
    /// One line: `shop of production is synced with 3f2a1c9`.
    pub title: String,
    /// More; may be empty.
    pub text: String,
}

/// What has been told already.
#[derive(Debug, Default)]
pub struct Told {
    told: BTreeSet<Key>,
    troubled: BTreeSet<Name>,
}

/// Source, stack, what about, and what tells two of them apart: a commit, a reason.
type Key = (Name, Option<StackName>, About, String);

impl Told {
    /// The letter about a notice; `None` when it is not worth one or has been told.
    pub fn letter(&mut self, notice: &Notice) -> Option<Letter> {
        let Notice { number, at, source, stack, kind } = notice;
        let (about, commit, text, apart) = self.worth(source, stack.as_ref(), kind)?;
        let key = (source.clone(), stack.clone(), about, apart);
        if self.told.len() >= TOLD_MAX {
            self.told.pop_first();
        }
        if !self.told.insert(key) {
            return None;
        }
        let who = match stack {
            Some(stack) => format!("{stack} of {source}"),
            None => source.to_string(),
        };
        Some(Letter {
            about,
            at: *at,
            number: *number,
            source: source.clone(),
            stack: stack.clone(),
            title: title(about, &who, commit),
            commit: commit.cloned(),
            text: short(&text),
        })
    }

    fn worth<'a>(
        &mut self,
        source: &Name,
        stack: Option<&StackName>,
        kind: &'a NoticeKind,
    ) -> Option<(About, Option<&'a CommitId>, String, String)> {
        match kind {
            NoticeKind::Ended { commit, end, message, .. } => {
                let about = match end {
                    RoundEnd::Synced => About::Synced,
                    RoundEnd::RolledBack => About::RolledBack,
                    RoundEnd::Failed | RoundEnd::Partly | RoundEnd::Refused => About::Failed,
                    // It goes on by itself.
                    RoundEnd::Interrupted | RoundEnd::Locked => return None,
                };
                // The one ends the other: each is news again after it, and so the status of the
                // commit says how it stands.
                let over: &[About] = match about {
                    About::Synced => {
                        &[About::Failed, About::RolledBack, About::Drifted, About::Waits]
                    }
                    _ => &[About::Synced],
                };
                self.forget(source, stack, over);
                Some((about, Some(commit), message.clone(), commit.to_string()))
            }
            NoticeKind::Drifted { what } => {
                Some((About::Drifted, None, what.join("\n"), what.join("\n")))
            }
            NoticeKind::Waits { reason } => {
                Some((About::Waits, None, reason.clone(), reason.clone()))
            }
            NoticeKind::Troubled { message } => {
                self.troubled.insert(source.clone());
                Some((About::Troubled, None, message.clone(), message.clone()))
            }
            NoticeKind::Recovered => {
                self.forget(source, stack, &[About::Troubled, About::Recovered]);
                let was_told = self.troubled.remove(source);
                was_told.then(|| (About::Recovered, None, String::new(), String::new()))
            }
            NoticeKind::Fetched { .. } | NoticeKind::Began { .. } | NoticeKind::Progress { .. } => {
                None
            }
        }
    }

    /// The next time is news again.
    fn forget(&mut self, source: &Name, stack: Option<&StackName>, about: &[About]) {
        for kind in about {
            let first = (source.clone(), stack.cloned(), *kind, String::new());
            let is_of_these = |key: &&Key| key.0 == *source && key.1.as_ref() == stack;
            let known = self.told.range(first..).take_while(is_of_these);
            let known: Vec<Key> = known.take_while(|key| key.2 == *kind).cloned().collect();
            for key in known {
                self.told.remove(&key);
            }
        }
    }
}

fn title(about: About, who: &str, commit: Option<&CommitId>) -> String {
    let commit = commit.map(|commit| commit.short().to_owned()).unwrap_or_default();
    match about {
        About::Synced => format!("{who} is synced with {commit}"),
        About::Failed => format!("{who} could not be synced with {commit}"),
        About::RolledBack => format!("{who} went back: {commit} failed"),
        About::Drifted => format!("{who} has drifted"),
        About::Waits => format!("{who} waits"),
        About::Troubled => format!("{who} is in trouble"),
        About::Recovered => format!("{who} is well again"),
    }
}

/// Readable lines, not too many.
fn short(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(printable_name).collect();
    let text = lines.join("\n");
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn notice(stack: Option<&str>, kind: NoticeKind) -> Notice {
        let stack = stack.map(|stack| name(stack).into());
        Notice { number: 1, at: 5, source: name("production"), stack, kind }
    }

    fn ended(commit: &str, end: RoundEnd) -> Notice {
        let commit = CommitId::new(commit);
        let message = "web was not ready".to_owned();
        notice(Some("shop"), NoticeKind::Ended { round: 1, commit, end, message, carried: None })
    }

    fn drifted() -> Notice {
        notice(Some("shop"), NoticeKind::Drifted { what: vec!["web is gone".to_owned()] })
    }

    #[test]
    fn an_end_is_told_once_for_each_stack_commit_and_kind() {
        let mut told = Told::default();
        let letter = told.letter(&ended("3f2a1c9d", RoundEnd::RolledBack)).expect("a letter");
        assert_eq!(letter.title, "shop of production went back: 3f2a1c9 failed");
        assert_eq!(letter.text, "web was not ready");
        assert_eq!(told.letter(&ended("3f2a1c9d", RoundEnd::RolledBack)), None);
        assert!(told.letter(&ended("3f2a1c9d", RoundEnd::Failed)).is_some());
        assert!(told.letter(&ended("b81d03e5", RoundEnd::RolledBack)).is_some());
    }

    #[test]
    fn what_goes_on_by_itself_is_not_told() {
        let mut told = Told::default();
        assert_eq!(told.letter(&ended("a", RoundEnd::Locked)), None);
        assert_eq!(told.letter(&ended("a", RoundEnd::Interrupted)), None);
        let commit = CommitId::new("a");
        assert_eq!(told.letter(&notice(None, NoticeKind::Fetched { commit })), None);
    }

    #[test]
    fn drift_is_news_again_once_it_was_healed() {
        let mut told = Told::default();
        assert!(told.letter(&drifted()).is_some());
        assert_eq!(told.letter(&drifted()), None);
        assert!(told.letter(&ended("a", RoundEnd::Synced)).is_some());
        assert!(told.letter(&drifted()).is_some());
        assert_eq!(told.letter(&ended("a", RoundEnd::Synced)), None, "that commit was told");
    }

    #[test]
    fn success_and_failure_are_news_again_after_each_other() {
        let mut told = Told::default();
        for _ in 0..2 {
            assert!(told.letter(&ended("a", RoundEnd::Synced)).is_some());
            assert_eq!(told.letter(&ended("a", RoundEnd::Synced)), None);
            assert!(told.letter(&ended("a", RoundEnd::Failed)).is_some());
            assert_eq!(told.letter(&ended("a", RoundEnd::Failed)), None);
        }
        assert!(told.letter(&ended("a", RoundEnd::Synced)).is_some());
        assert!(told.letter(&ended("a", RoundEnd::RolledBack)).is_some());
        assert!(told.letter(&ended("a", RoundEnd::Synced)).is_some());
    }

    #[test]
    fn what_one_stack_became_makes_nothing_of_another_news() {
        let mut told = Told::default();
        let other = |end| {
            let (commit, message) = (CommitId::new("a"), String::new());
            notice(Some("web"), NoticeKind::Ended { round: 1, commit, end, message, carried: None })
        };
        assert!(told.letter(&other(RoundEnd::Synced)).is_some());
        assert!(told.letter(&ended("a", RoundEnd::Failed)).is_some());
        assert_eq!(told.letter(&other(RoundEnd::Synced)), None);
    }

    #[test]
    fn the_end_of_trouble_is_told_to_those_who_heard_of_it() {
        let mut told = Told::default();
        assert_eq!(told.letter(&notice(None, NoticeKind::Recovered)), None);
        for _ in 0..2 {
            let message = "the forge does not answer".to_owned();
            let troubled = notice(None, NoticeKind::Troubled { message });
            assert!(told.letter(&troubled).is_some());
            assert_eq!(told.letter(&troubled), None);
            assert!(told.letter(&notice(None, NoticeKind::Recovered)).is_some());
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut told = Told::default();
        for n in 0..TOLD_MAX + 100 {
            assert!(told.letter(&ended(&format!("{n:08}"), RoundEnd::Failed)).is_some());
        }
        assert!(told.told.len() <= TOLD_MAX);
    }

    #[test]
    fn a_letter_is_short_and_readable() {
        let text = short(&format!("a\u{1b}[2Jb\nc{}", "x".repeat(9000)));
        assert!(!text.contains('\u{1b}') && text.chars().count() == TEXT_MAX + 1);
    }

    #[test]
    fn every_word_of_the_file_is_known() {
        for word in ["synced", "failed", "drifted", "rolled-back", "waits", "troubled"] {
            assert_eq!(About::parse(word).map(About::word), Some(word));
        }
        assert_eq!(About::parse("other"), None);
    }
}
