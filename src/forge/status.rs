//! Statuses of commits: read first, written only where they say something new. Forges keep a
//! thousand for each commit and context, and tell people about every one.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{Question, encoded};
use super::{Forge, ForgeError, ForgeKind};

/// The longest description that every forge takes.
const DESCRIPTION_MAX: usize = 140;

/// The longest context.
const CONTEXT_MAX: usize = 255;

/// How it stands with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusState {
    /// It is being worked on.
    Pending,
    /// It is well.
    Success,
    /// It is not, and the commit is why.
    Failure,
    /// Nobody could tell.
    Error,
}

impl Forge {
    /// Sets the status `context` of a commit (its full hash), unless it says so already. `url` leads
    /// to more. Description and context are cut to what the forge takes. Gives whether it was set.
    pub async fn set_status(
        &self,
        commit: &str,
        context: &str,
        state: StatusState,
        description: &str,
        url: Option<&str>,
    ) -> Result<bool, ForgeError> {
        if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ForgeError::Settings { what: "the commit is not a full hash".to_owned() });
        }
        let context = shortened(context);
        let description = cut(description, DESCRIPTION_MAX);
        let word = state.word(self.kind);
        let last = self.last_status(commit, &context).await?;
        if last.is_some_and(|it| it == (word.to_owned(), description.clone())) {
            return Ok(false);
        }
        let mut body = json!({"state": word, "context": context, "description": description});
        // Only what people may click on.
        let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        if let (Some(url), Some(body)) = (url, body.as_object_mut()) {
            body.insert("target_url".to_owned(), url.into());
        }
        if let (Some(pipeline), Some(body)) = (self.pipeline, body.as_object_mut()) {
            body.insert("pipeline_id".to_owned(), pipeline.into());
        }
        let path = format!("{}/statuses/{commit}", self.repository_path());
        self.ask(&Question::send("set the status", Method::POST, path, body)).await?;
        Ok(true)
    }

    /// State and description of the newest status of a context.
    async fn last_status(
        &self,
        commit: &str,
        context: &str,
    ) -> Result<Option<(String, String)>, ForgeError> {
        let repository = self.repository_path();
        let (path, state, name) = match self.kind {
            ForgeKind::Github => {
                (format!("{repository}/commits/{commit}/statuses?per_page=100"), "state", "context")
            }
            ForgeKind::Gitea | ForgeKind::Forgejo => (
                format!("{repository}/statuses/{commit}?sort=recentupdate&limit=50"),
                "status",
                "context",
            ),
            ForgeKind::Gitlab => (
                format!(
                    "{repository}/repository/commits/{commit}/statuses?name={}&per_page=1",
                    encoded(context)
                ),
                "status",
                "name",
            ),
        };
        let answer = match self.ask(&Question::get("read the statuses", path)).await {
            // Some tokens may write and not read.
            Err(ForgeError::Refused { status: 403 | 404, .. }) => return Ok(None),
            answer => answer?,
        };
        let text = |item: &Value, key: &str| {
            item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let mut list = answer.body.as_array().into_iter().flatten();
        let newest = list.find(|item| text(item, name) == context);
        Ok(newest.map(|item| (text(item, state), text(item, "description"))))
    }
}

impl StatusState {
    fn word(self, kind: ForgeKind) -> &'static str {
        match (self, kind) {
            (Self::Pending, _) => "pending",
            (Self::Success, _) => "success",
            (Self::Failure | Self::Error, ForgeKind::Gitlab) => "failed",
            (Self::Failure, _) => "failure",
            (Self::Error, _) => "error",
        }
    }
}

/// A name that is too long keeps its beginning, and a hash tells it from others.
fn shortened(context: &str) -> String {
    if context.len() <= CONTEXT_MAX {
        return context.to_owned();
    }
    let hash = Sha256::digest(context);
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let mut end = CONTEXT_MAX - hash.len() - 1;
    while !context.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &context[..end])
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_context_stays_its_own() {
        let (one, other) = (shortened(&"é".repeat(200)), shortened(&"é".repeat(201)));
        assert!(one.len() <= CONTEXT_MAX && one != other);
        assert_eq!(shortened("gitdeploy/production"), "gitdeploy/production");
    }

    #[test]
    fn a_long_description_says_that_it_goes_on() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
