//! Where people talk about commits: GitHub, GitLab, Gitea, Forgejo. Their APIs, as far as we use them.
//!
//! Whoever asks gets an answer or an error in words within a bounded time, and no error holds the
//! token. Nothing a forge says is an address to go to: pages are counted, redirects refused. What
//! we say goes only where the settings say.

mod comments;
mod fault;
mod http;
pub mod notify;
mod pull;
mod status;
mod surroundings;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use comments::{Comment, Posted};
pub use fault::ForgeError;
pub use pull::Pull;
pub use status::StatusState;
pub use surroundings::Surroundings;

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, also GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
}

/// A login. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ForgeToken(String);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is nothing in it.
    #[error("its token is empty")]
    Empty,
    /// There is nothing but white space in it.
    #[error("its token is nothing but white space")]
    Blank,
    /// It has more than one word.
    #[error("its token has white space inside: a token is one word")]
    Words,
    /// It has something that no header may have.
    #[error("its token has characters that no token has")]
    Strange,
}

impl ForgeToken {
    /// Takes a token as it stands in a variable or a file; white space around it does not count.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let token = text.trim();
        // A file that ends with its line has nothing in it all the same.
        if text.trim_matches(['\r', '\n']).is_empty() {
            return Err(TokenError::Empty);
        }
        if token.is_empty() {
            return Err(TokenError::Blank);
        }
        if token.chars().any(char::is_whitespace) {
            return Err(TokenError::Words);
        }
        match token.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(Self(token.to_owned())),
            false => Err(TokenError::Strange),
        }
    }
}

impl fmt::Debug for ForgeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForgeToken(***)")
    }
}

/// How long a forge is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often one question is asked at most.
    pub attempts: u32,
    /// The pause before the second time; each later one is twice as long.
    pub pause: Duration,
    /// The longest pause; a forge that wants more is given up.
    pub pause_max: Duration,
    /// For one answer.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            answer: Duration::from_secs(20),
        }
    }
}

/// One repository on a forge.
#[derive(Debug)]
pub struct Forge {
    kind: ForgeKind,
    /// Without a slash at its end: `https://api.github.com`.
    api: reqwest::Url,
    /// `acme/shop`, or GitLab's number.
    repository: String,
    token: ForgeToken,
    client: reqwest::Client,
    patience: Patience,
    /// GitLab's pipeline that statuses belong to; without it, it makes one of its own for them.
    pipeline: Option<u64>,
    limit: RateLimit,
}

/// What a forge says of how many more questions it takes. Clones say the same.
#[derive(Debug, Clone, Default)]
pub struct RateLimit(Arc<Mutex<Option<u64>>>);

impl Forge {
    /// A repository by the address of the API (`https://api.github.com`,
    /// `https://gitlab.com/api/v4`, `https://codeberg.org/api/v1`) and its name there (`acme/shop`).
    /// Nothing is asked yet.
    pub fn new(
        kind: ForgeKind,
        api: &str,
        repository: &str,
        token: ForgeToken,
    ) -> Result<Self, ForgeError> {
        let bad = |what: &str| ForgeError::Settings { what: what.to_owned() };
        let api = reqwest::Url::parse(api.trim_end_matches('/'))
            .map_err(|_| bad("the address of the API is no URL"))?;
        let is_plain = api.username().is_empty() && api.password().is_none();
        if !matches!(api.scheme(), "https" | "http") || !is_plain || api.host().is_none() {
            return Err(bad("the address of the API is not a plain https:// URL"));
        }
        if !is_repository(kind, repository) {
            return Err(bad("the repository is not written OWNER/NAME"));
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("gitdeploy/", env!("CARGO_PKG_VERSION")))
            // A token must not follow a redirect to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| bad(&crate::diag::words(&error)))?;
        let repository = repository.to_owned();
        let patience = Patience::default();
        let limit = RateLimit::default();
        Ok(Self { kind, api, repository, token, client, patience, pipeline: None, limit })
    }

    /// What it says of how many more questions it takes, now and later.
    pub fn rate_limit(&self) -> RateLimit {
        self.limit.clone()
    }

    /// The same with other limits of time.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same for statuses of a pipeline that GitLab runs already.
    #[must_use]
    pub fn with_pipeline(self, pipeline: Option<u64>) -> Self {
        Self { pipeline, ..self }
    }

    /// Where the repository's own things are in the API.
    fn repository_path(&self) -> String {
        match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
                format!("/repos/{}", self.repository)
            }
            ForgeKind::Gitlab => format!("/projects/{}", self.repository.replace('/', "%2F")),
        }
    }
}

/// Names are what forges allow in them, so that nothing in them means anything in a URL.
fn is_repository(kind: ForgeKind, name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = name.split('/').collect();
    match kind {
        ForgeKind::Gitlab => is_number || parts.len() >= 2 && parts.into_iter().all(is_part),
        ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
            parts.len() == 2 && parts.into_iter().all(is_part)
        }
    }
}

impl ForgeKind {
    /// The longest comment it takes, in bytes. GitHub counts characters, so this is on the safe side.
    pub fn comment_max(self) -> usize {
        match self {
            Self::Github | Self::Gitea | Self::Forgejo => 65_536,
            Self::Gitlab => 1_000_000,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
        }
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
