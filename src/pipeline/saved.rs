//! A plan in a file: what it was made of, and which plan came out. No secret is in it, and nothing
//! that could be run: whoever applies it plans again and does it only if the same plan comes out.

use serde::{Deserialize, Serialize};

use crate::model::{Basis, Plan, PlanId};

/// The format; any other one is refused.
const FORMAT: u32 = 2;

/// What a plan file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    gitdeploy_plan: u32,
    /// The release of this program that made it: another one may plan otherwise.
    version: String,
    /// The plan's fingerprint.
    plan: String,
    /// The commit, by its full hash.
    pub commit: String,
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// What the plan was asked for.
    pub asked: Asked,
    /// What it rests on.
    pub basis: Basis,
}

/// The options that a plan depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Stacks.
    pub stacks: Vec<String>,
    /// `--target`.
    pub targets: Vec<String>,
    /// `--exclude`.
    pub excludes: Vec<String>,
    /// `--replace`.
    pub replace: Vec<String>,
    /// `--env-file`.
    pub env_files: Vec<String>,
    /// `--profile`.
    pub profiles: Vec<String>,
    /// `--skip-unreachable`.
    pub skip_unreachable: bool,
    /// `--allow-deletes`.
    pub allow_deletes: Option<u32>,
}

/// What every plan file begins with.
#[derive(Deserialize)]
struct Origin {
    gitdeploy_plan: u32,
    version: String,
}

/// Why a file is no plan that can be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It is no plan at all, or has been edited.
    #[error("it is not a plan that `plan --out` wrote: {0}")]
    NotAPlan(String),
    /// Another release wrote it.
    #[error("it was written by gitdeploy {0}, and this is another release")]
    OtherRelease(String),
}

impl SavedPlan {
    /// What must be kept of a plan. `None` for one of uncommitted files: nobody could make it again.
    pub fn of(plan: &Plan, asked: Asked) -> Option<Self> {
        Some(Self {
            gitdeploy_plan: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan.id.to_string(),
            commit: plan.commit.as_ref()?.to_string(),
            project: plan.owner.project.to_string(),
            environment: plan.owner.environment.to_string(),
            asked,
            basis: plan.basis.clone(),
        })
    }

    /// As text.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        format!("{}\n", text.expect("plain data with string keys always serialises"))
    }

    /// Reads one back.
    pub fn read(text: &str) -> Result<Self, SavedError> {
        let not_a_plan = |error: serde_json::Error| SavedError::NotAPlan(error.to_string());
        // What another release has written may be of any shape but for this.
        let Origin { gitdeploy_plan, version } = serde_json::from_str(text).map_err(not_a_plan)?;
        if gitdeploy_plan != FORMAT || version != env!("CARGO_PKG_VERSION") {
            return Err(SavedError::OtherRelease(version));
        }
        serde_json::from_str(text).map_err(not_a_plan)
    }

    /// The plan's fingerprint.
    pub fn id(&self) -> PlanId {
        PlanId(self.plan.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Facts, Mark, Name};

    fn name<N: From<Name>>(name: &str) -> N {
        Name::parse(name).expect("a name").into()
    }

    fn saved() -> SavedPlan {
        let facts = Facts::from([("drain".to_owned(), Mark::of([]))]);
        SavedPlan {
            gitdeploy_plan: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: "ab".into(),
            commit: "c0ffee".into(),
            project: "acme".into(),
            environment: "production".into(),
            asked: Asked { stacks: vec!["shop".into()], ..Asked::default() },
            basis: Basis { hosts: [(name("local"), facts)].into(), ..Basis::default() },
        }
    }

    #[test]
    fn a_saved_plan_reads_back() {
        assert_eq!(SavedPlan::read(&saved().to_text()), Ok(saved()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "{}", "[1]", "shop"] {
            assert!(matches!(SavedPlan::read(text), Err(SavedError::NotAPlan(_))), "{text}");
        }
        let other = saved().to_text().replace(env!("CARGO_PKG_VERSION"), "0.0.1");
        assert_eq!(SavedPlan::read(&other), Err(SavedError::OtherRelease("0.0.1".into())));
        let before = r#"{"gitdeploy_plan": 1, "version": "0.0.1", "basis": []}"#;
        assert_eq!(SavedPlan::read(before), Err(SavedError::OtherRelease("0.0.1".into())));
    }
}
