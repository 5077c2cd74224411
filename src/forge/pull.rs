//! A pull request as it is now: a review may be late.

use serde_json::Value;

use super::http::Question;
use super::{Forge, ForgeError, ForgeKind};

/// Where a pull request is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pull {
    /// The commit that would be merged.
    pub head: String,
    /// The tip of what it would be merged into; GitLab does not say it.
    pub base: Option<String>,
}

impl Forge {
    /// The commits of a pull request now.
    pub async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        let what = "look at the pull request";
        let (path, head, base) = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
                let path = format!("{}/pulls/{number}", self.repository_path());
                (path, "/head/sha", Some("/base/sha"))
            }
            ForgeKind::Gitlab => {
                (format!("{}/merge_requests/{number}", self.repository_path()), "/sha", None)
            }
        };
        let answer = self.ask(&Question::get(what, path)).await?;
        let text = |at: &str| answer.body.pointer(at).and_then(Value::as_str).map(str::to_owned);
        match text(head) {
            Some(head) => Ok(Pull { head, base: base.and_then(text) }),
            None => Err(ForgeError::Unreadable {
                what: what.to_owned(),
                why: "there is no head in it".to_owned(),
            }),
        }
    }
}
