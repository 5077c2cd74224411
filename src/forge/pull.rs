//! A pull request as it is now: a review may be late.

use serde_json::Value;

use super::http::Question;
use super::{Forge, ForgeError, ForgeKind};

/// Where a pull request is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pull {
    /// The commit that would be merged.
    pub head: String,
    /// The commit it is compared with, as the forge counts.
    pub base: Option<String>,
}

impl Forge {
    /// The commits of a pull request now.
    pub async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        let what = "look at the pull request";
        let (path, head, base) = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
                (format!("{}/pulls/{number}", self.repository_path()), "/head/sha", "/base/sha")
            }
            ForgeKind::Gitlab => (
                format!("{}/merge_requests/{number}", self.repository_path()),
                "/sha",
                "/diff_refs/base_sha",
            ),
        };
        let answer = self.ask(&Question::get(what, path)).await?;
        let text = |at: &str| answer.body.pointer(at).and_then(Value::as_str).map(str::to_owned);
        match text(head) {
            Some(head) => Ok(Pull { head, base: text(base) }),
            None => Err(ForgeError::Unreadable {
                what: what.to_owned(),
                why: "there is no head in it".to_owned(),
            }),
        }
    }
}
