//! Groups of hosts, said by their labels: selectors such as `role=web,zone!=b`, and Compose's
//! placement constraints such as `node.labels.role == web`.
//!
//! Both read into the same [`Constraint`]. Comparing ignores case, as the engine's own scheduler
//! does, and a label that a host does not have equals nothing.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Name;

/// What is known of a host without asking it, and what asking has told.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its name in the inventory.
    pub name: &'a Name,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its engine's own labels; `None` until the engine has been asked.
    pub engine: Option<&'a BTreeMap<String, String>>,
    /// What its engine runs on; `None` until the engine has been asked.
    pub platform: Option<&'a Platform>,
}

/// What an engine runs on, in Docker's words: `linux`, `x86_64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The processor.
    pub arch: String,
}

/// What a [`Constraint`] looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A label of the host.
    Label(String),
    /// A label that its engine has been given.
    EngineLabel(String),
    /// The host's name in the inventory.
    Hostname,
    /// The operating system of its engine.
    Os,
    /// The processor of its engine.
    Arch,
}

/// How a [`Constraint`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// The values must be the same.
    Is,
    /// The values must differ; so they do when there is none.
    IsNot,
}

/// One condition on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Constraint {
    /// What is looked at.
    pub subject: Subject,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

impl Constraint {
    /// Reads a placement constraint: `node.labels.role == web`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (subject, operator, value) = if let Some((subject, value)) = text.split_once("!=") {
            (subject, Operator::IsNot, value)
        } else if let Some((subject, value)) = text.split_once("==") {
            (subject, Operator::Is, value)
        } else {
            return Err("it has neither `==` nor `!=`".into());
        };
        let value = value.trim();
        if value.is_empty() || value.starts_with('=') {
            return Err("a value is missing behind the comparison".into());
        }
        Ok(Self { subject: subject_of(subject.trim())?, operator, value: value.to_owned() })
    }

    /// Whether a host fulfils it; `None` when only its engine can tell.
    pub fn holds(&self, facts: Facts<'_>) -> Option<bool> {
        let Facts { name, labels, engine, platform } = facts;
        let actual = match &self.subject {
            Subject::Label(label) => labels.get(label).map(String::as_str),
            Subject::EngineLabel(label) => engine?.get(label).map(String::as_str),
            Subject::Hostname => Some(name.as_str()),
            Subject::Os => Some(platform?.os.as_str()),
            Subject::Arch => Some(platform?.arch.as_str()),
        };
        let same = actual.is_some_and(|actual| actual.eq_ignore_ascii_case(&self.value));
        Some(match self.operator {
            Operator::Is => same,
            Operator::IsNot => !same,
        })
    }
}

fn subject_of(text: &str) -> Result<Subject, String> {
    // The keys are compared without case, a label's own name is not.
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("node.labels.") {
        let label = text.get("node.labels.".len()..).unwrap_or_default();
        label_key(label)?;
        return Ok(Subject::Label(label.to_owned()));
    }
    if lower.starts_with("engine.labels.") {
        let label = text.get("engine.labels.".len()..).unwrap_or_default();
        label_key(label)?;
        return Ok(Subject::EngineLabel(label.to_owned()));
    }
    match lower.as_str() {
        "node.hostname" => Ok(Subject::Hostname),
        "node.platform.os" => Ok(Subject::Os),
        "node.platform.arch" => Ok(Subject::Arch),
        "node.role" => {
            Err("hosts have no managers and workers among them; give them labels in the \
             inventory and ask for `node.labels.…`"
                .into())
        }
        "node.id" | "node.ip" => {
            Err(format!("`{text}` is a swarm's; ask for `node.hostname` instead"))
        }
        _ => Err(format!(
            "`{text}` is unknown; there are `node.labels.…`, `engine.labels.…`, `node.hostname`, \
             `node.platform.os` and `node.platform.arch`"
        )),
    }
}

/// Checks the name of a label.
pub(super) fn label_key(text: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("a label's name starts with a letter or a digit".into());
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("`{c}` cannot stand in a label's name")),
        None => Ok(()),
    }
}

/// Hosts that fulfil every one of several conditions: `role=web,zone!=b`, or a host's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSelector(Vec<Constraint>);

impl HostSelector {
    /// Reads `key=value`, `key!=value` and host names, separated by commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(|term| condition(term.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a host fulfils all conditions.
    pub fn matches(&self, name: &Name, labels: &BTreeMap<String, String>) -> bool {
        let facts = Facts { name, labels, engine: None, platform: None };
        self.0.iter().all(|constraint| constraint.holds(facts) == Some(true))
    }
}

fn condition(term: &str) -> Result<Constraint, String> {
    let (key, operator, value) = if let Some((key, value)) = term.split_once("!=") {
        (key, Operator::IsNot, value)
    } else if let Some((key, value)) = term.split_once('=') {
        (key, Operator::Is, value.strip_prefix('=').unwrap_or(value))
    } else {
        let name = Name::parse(term).map_err(|why| format!("`{term}` is no host name: {why}"))?;
        return Ok(Constraint {
            subject: Subject::Hostname,
            operator: Operator::Is,
            value: name.to_string(),
        });
    };
    let (key, value) = (key.trim(), value.trim());
    label_key(key)?;
    if value.is_empty() {
        return Err(format!("`{key}` is compared with nothing"));
    }
    Ok(Constraint { subject: Subject::Label(key.to_owned()), operator, value: value.to_owned() })
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Is => "==",
            Operator::IsNot => "!=",
        };
        match &self.subject {
            Subject::Label(label) => write!(f, "node.labels.{label} {operator} {}", self.value),
            Subject::EngineLabel(label) => {
                write!(f, "engine.labels.{label} {operator} {}", self.value)
            }
            Subject::Hostname => write!(f, "node.hostname {operator} {}", self.value),
            Subject::Os => write!(f, "node.platform.os {operator} {}", self.value),
            Subject::Arch => write!(f, "node.platform.arch {operator} {}", self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web_1() -> (Name, BTreeMap<String, String>) {
        let labels = [("role", "web"), ("zone", "a")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        (Name::parse("web-1").expect("a name"), labels.into())
    }

    #[test]
    fn constraints_are_those_of_compose() {
        let (name, labels) = web_1();
        let facts = Facts { name: &name, labels: &labels, engine: None, platform: None };
        for (text, holds) in [
            ("node.labels.role == web", Some(true)),
            ("node.labels.role==WEB", Some(true)),
            ("node.labels.role != web", Some(false)),
            ("node.labels.disk == ssd", Some(false)),
            ("node.labels.disk != ssd", Some(true)),
            ("node.hostname == web-1", Some(true)),
            ("Node.Hostname!=web-1", Some(false)),
            ("node.platform.os == linux", None),
        ] {
            let constraint = Constraint::parse(text).expect("valid");
            assert_eq!(constraint.holds(facts), holds, "{text}");
            assert_eq!(Constraint::parse(&constraint.to_string()), Ok(constraint));
        }
        let platform = Platform { os: "linux".into(), arch: "x86_64".into() };
        let known = Facts { platform: Some(&platform), ..facts };
        let arch = Constraint::parse("node.platform.arch == aarch64").expect("valid");
        assert_eq!(arch.holds(known), Some(false));
    }

    #[test]
    fn what_is_no_constraint_says_why() {
        let why: Vec<String> = [
            "web",
            "node.role == manager",
            "node.id == x",
            "node.lables.x==y",
            "node.labels. == x",
            "node.labels.x == ",
            "node.labels.x === y",
            "== y",
        ]
        .into_iter()
        .map(|text| format!("{text}: {}", Constraint::parse(text).expect_err("none")))
        .collect();
        insta::assert_snapshot!(why.join("\n"), @r"
        web: it has neither `==` nor `!=`
        node.role == manager: hosts have no managers and workers among them; give them labels in the inventory and ask for `node.labels.…`
        node.id == x: `node.id` is a swarm's; ask for `node.hostname` instead
        node.lables.x==y: `node.lables.x` is unknown; there are `node.labels.…`, `engine.labels.…`, `node.hostname`, `node.platform.os` and `node.platform.arch`
        node.labels. == x: a label's name starts with a letter or a digit
        node.labels.x == : a value is missing behind the comparison
        node.labels.x === y: a value is missing behind the comparison
        == y: `` is unknown; there are `node.labels.…`, `engine.labels.…`, `node.hostname`, `node.platform.os` and `node.platform.arch`
        ");
    }

    #[test]
    fn a_selector_wants_all_its_conditions() {
        let (name, labels) = web_1();
        for (text, matches) in [
            ("role=web", true),
            ("role==web, zone!=b", true),
            ("role=web,zone=b", false),
            ("web-1", true),
            ("web-2", false),
            ("disk!=ssd", true),
        ] {
            let selector = HostSelector::parse(text).expect("valid");
            assert_eq!(selector.matches(&name, &labels), matches, "{text}");
        }
        for bad in ["", "role=", "=web", "role=web,", "Role", "a b=c"] {
            assert!(HostSelector::parse(bad).is_err(), "{bad}");
        }
    }
}
