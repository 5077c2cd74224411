//! What differs between two desired states, in three forms.

mod json;
mod markdown;
mod text;

use similar::TextDiff;

use crate::diag::printable_name;
use crate::diff::{Action, Content, Differences, FieldChange, FileChange, ItemDifference, Shown};

pub(super) use markdown::sections;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

/// What is compared, for headings.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The first state: a short hash, or `uncommitted`.
    pub base: String,
    /// The second state.
    pub head: String,
}

/// Counts by action, over services, networks and volumes.
pub(super) struct Totals {
    create: usize,
    update: usize,
    delete: usize,
}

impl Totals {
    pub(super) fn of(differences: &Differences) -> Self {
        let count = |action| differences.items().filter(|item| item.action == action).count();
        Self {
            create: count(Action::Create),
            update: count(Action::Update),
            delete: count(Action::Delete),
        }
    }

    pub(super) fn sentence(&self) -> String {
        if self.create + self.update + self.delete == 0 {
            return "Diff: no differences.".into();
        }
        format!(
            "Diff: {} to create, {} to change, {} to remove.",
            self.create, self.update, self.delete
        )
    }
}

/// Lines of a file around which a change is shown.
const CONTEXT: usize = 3;

/// A unified diff of a file; one line of words when it is not text.
fn unified(file: &FileChange) -> Vec<String> {
    let path = printable_name(&file.path);
    let (old, new) = match (&file.old, &file.new) {
        (Some(Content::Hidden), _) | (_, Some(Content::Hidden)) => {
            return vec![format!("{path}: (sensitive, changed)")];
        }
        (Some(Content::Opaque), _) | (_, Some(Content::Opaque)) => {
            return vec![format!("{path}: differs; it is no text, or too large to show")];
        }
        (old, new) => (lines_of(old.as_ref()), lines_of(new.as_ref())),
    };
    if old == new {
        return vec![format!("{path}: differs in what may be secret")];
    }
    let name = |side: bool| if side { path.as_str() } else { "/dev/null" };
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(name(file.old.is_some()), name(file.new.is_some()))
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn lines_of(content: Option<&Content>) -> &str {
    match content {
        Some(Content::Text(text)) => text,
        Some(Content::Opaque | Content::Hidden) | None => "",
    }
}

/// The names of the fields that differ, for the line of an item: `(image, env.CACHE_MB)`.
pub(super) fn summary(item: &ItemDifference) -> String {
    const NAMES_MAX: usize = 6;
    let mut names: Vec<String> = item
        .fields
        .iter()
        .map(|field| printable_name(&field.path))
        .chain(item.files.iter().map(|file| printable_name(&file.path)))
        .collect();
    let rest = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let more = if rest > 0 { format!(", {rest} more") } else { String::new() };
    format!("({}{more})", names.join(", "))
}

/// `old → new`, with words for what was or is not set.
fn values(field: &FieldChange) -> (String, String) {
    match (&field.old, &field.new) {
        (Some(Shown::Hidden), Some(Shown::Hidden)) => {
            ("(sensitive)".into(), "(sensitive, changed)".into())
        }
        (old, new) => (shown(old.as_ref()), shown(new.as_ref())),
    }
}

fn shown(value: Option<&Shown>) -> String {
    match value {
        None => "(unset)".into(),
        Some(Shown::Hidden) => "(sensitive)".into(),
        Some(Shown::Value(value)) if value.as_object().is_some_and(serde_json::Map::is_empty) => {
            "(with default settings)".into()
        }
        Some(Shown::Value(value)) => printable_name(&value.to_string()),
    }
}
