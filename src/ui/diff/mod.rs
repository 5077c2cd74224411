//! What differs between two desired states, in three forms.

mod json;
mod markdown;
mod text;

use similar::TextDiff;

use crate::diag::printable;
use crate::diff::{Action, Differences, FieldChange, FileChange, ItemDifference, Shown};

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
struct Totals {
    create: usize,
    update: usize,
    delete: usize,
}

impl Totals {
    fn of(differences: &Differences) -> Self {
        let count = |action| differences.items().filter(|item| item.action == action).count();
        Self {
            create: count(Action::Create),
            update: count(Action::Update),
            delete: count(Action::Delete),
        }
    }

    fn sentence(&self) -> String {
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
    let text = |side: &Option<std::sync::Arc<[u8]>>| match side {
        Some(content) => std::str::from_utf8(content).ok().map(str::to_owned),
        None => Some(String::new()),
    };
    let (Some(old), Some(new)) = (text(&file.old), text(&file.new)) else {
        return vec![format!("{}: binary files differ", file.path)];
    };
    let name = |side: bool| if side { file.path.as_str() } else { "/dev/null" };
    TextDiff::from_lines(old.as_str(), new.as_str())
        .unified_diff()
        .context_radius(CONTEXT)
        .header(name(file.old.is_some()), name(file.new.is_some()))
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The names of the fields that differ, for the line of an item: `(image, env.CACHE_MB)`.
fn summary(item: &ItemDifference) -> String {
    const NAMES_MAX: usize = 6;
    let mut names: Vec<&str> = item
        .fields
        .iter()
        .map(|field| field.path.as_str())
        .chain(item.files.iter().map(|file| file.path.as_str()))
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
        Some(Shown::Value(value)) => printable(&value.to_string()),
    }
}
