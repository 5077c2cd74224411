//! One question to a forge: asked again where that is safe and useful, never for ever.

use std::sync::PoisonError;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Forge, ForgeError, ForgeKind, RateLimit};
use crate::diag::printable_name;

/// The largest answer that is read: a hundred comments of the longest kind.
const ANSWER_MAX: usize = 16 << 20;

/// The longest message of a forge that is told.
const MESSAGE_MAX: usize = 200;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) method: Method,
    /// Below the API's address, with its query; every part is encoded already.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// For errors: "list the comments".
    pub(super) what: &'static str,
    /// Whether asking twice is as good as once.
    pub(super) repeats: bool,
}

/// What came back, when it was good.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Value,
    /// Whether the list goes on.
    pub(super) has_more: bool,
}

/// What one attempt came to.
enum Attempt {
    Good(Answer),
    Bad(ForgeError),
    /// Worth another try, after this pause where the forge says so.
    Again(ForgeError, Option<Duration>),
}

impl Question {
    pub(super) fn get(what: &'static str, path: String) -> Self {
        Self { method: Method::GET, path, body: None, what, repeats: true }
    }

    pub(super) fn send(what: &'static str, method: Method, path: String, body: Value) -> Self {
        Self { method, path, body: Some(body), what, repeats: true }
    }

    /// The same, asked once when it is not known what became of it.
    pub(super) fn once(self) -> Self {
        Self { repeats: false, ..self }
    }
}

impl Forge {
    /// Asks until there is an answer, as long as patience lasts.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ForgeError> {
        let mut pause = self.patience.pause;
        let mut attempt = 1;
        loop {
            let (error, wanted) = match self.attempt(question).await {
                Attempt::Good(answer) => return Ok(answer),
                Attempt::Bad(error) => return Err(error),
                Attempt::Again(error, wanted) => (error, wanted),
            };
            let is_safe = question.repeats || !error.is_unknown();
            if attempt >= self.patience.attempts || !is_safe {
                return Err(error);
            }
            let wait = wanted.unwrap_or(pause);
            if wait > self.patience.pause_max {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
            pause = (pause * 2).min(self.patience.pause_max);
        }
    }

    async fn attempt(&self, question: &Question) -> Attempt {
        let what = question.what.to_owned();
        let url = format!("{}{}", self.api.as_str().trim_end_matches('/'), question.path);
        let mut request = self
            .client
            .request(question.method.clone(), url)
            .timeout(self.patience.answer)
            .headers(self.headers());
        if let Some(body) = &question.body {
            let json = HeaderValue::from_static("application/json");
            request = request.header(reqwest::header::CONTENT_TYPE, json).body(body.to_string());
        }
        let silent = |error: &reqwest::Error| {
            let why = match error.is_timeout() {
                true => "it took too long".to_owned(),
                false => self.scrubbed(&cause(error)),
            };
            ForgeError::Unreachable { what: question.what.to_owned(), why }
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Attempt::Again(silent(&error), None),
        };
        let status = response.status();
        self.limit.heard(response.headers());
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_MAX => bytes.extend(chunk),
                Ok(Some(_)) => {
                    let why = format!("it is longer than {} MiB", ANSWER_MAX >> 20);
                    return Attempt::Bad(ForgeError::Unreadable { what, why });
                }
                Ok(None) => break,
                Err(error) => return Attempt::Again(silent(&error), None),
            }
        }
        self.judged(question, status, &headers, &bytes)
    }

    fn judged(
        &self,
        question: &Question,
        status: StatusCode,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Attempt {
        let what = question.what.to_owned();
        if status.is_success() {
            if bytes.is_empty() {
                return Attempt::Good(Answer { body: Value::Null, has_more: false });
            }
            return match serde_json::from_slice(bytes) {
                Ok(body) => Attempt::Good(Answer { body, has_more: has_more(headers) }),
                Err(error) => Attempt::Bad(ForgeError::Unreadable { what, why: error.to_string() }),
            };
        }
        if let Some(wait) = limited(status, headers) {
            let seconds = wait.as_secs();
            return Attempt::Again(ForgeError::Limited { what, seconds }, Some(wait));
        }
        let refused = ForgeError::Refused {
            what: what.clone(),
            status: status.as_u16(),
            message: self.message(status, bytes),
        };
        match status.as_u16() {
            // GitLab says so while it works on the same row; nothing has happened then.
            409 => Attempt::Again(refused, None),
            // Whether something happened behind a gateway, nobody knows.
            500..=599 => {
                let why = self.message(status, bytes);
                let why = format!("{} {why}", status.as_u16());
                Attempt::Again(ForgeError::Unreachable { what, why }, None)
            }
            300..=399 => Attempt::Bad(ForgeError::Refused {
                what,
                status: status.as_u16(),
                message: "it sends us elsewhere, which is not followed".to_owned(),
            }),
            _ => Attempt::Bad(refused),
        }
    }

    fn headers(&self) -> HeaderMap {
        let (name, value, accept) = match self.kind {
            ForgeKind::Github => {
                ("authorization", format!("Bearer {}", self.token.0), "application/vnd.github+json")
            }
            ForgeKind::Gitlab => ("private-token", self.token.0.clone(), "application/json"),
            ForgeKind::Gitea | ForgeKind::Forgejo => {
                ("authorization", format!("token {}", self.token.0), "application/json")
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static(accept));
        // Made of visible ASCII, so it is a value.
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        if self.kind == ForgeKind::Github {
            headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        }
        headers
    }

    /// What an answer says of itself, in one line.
    fn message(&self, status: StatusCode, bytes: &[u8]) -> String {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let said = ["message", "error", "error_description"].iter().find_map(|key| {
            let said = body.get(*key)?;
            Some(said.as_str().map_or_else(|| said.to_string(), str::to_owned))
        });
        let said = said.unwrap_or_else(|| status.canonical_reason().unwrap_or("").to_owned());
        let line: String = said.chars().take(MESSAGE_MAX).collect();
        self.scrubbed(&printable_name(&line))
    }

    /// `text` without the token.
    fn scrubbed(&self, text: &str) -> String {
        text.replace(&self.token.0, "***")
    }
}

impl RateLimit {
    /// How many more questions are taken, as the last answer said; `None` when none has.
    pub fn remaining(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, headers: &HeaderMap) {
        let names = ["x-ratelimit-remaining", "ratelimit-remaining"];
        let said = names.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.parse().ok());
        if said.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
        }
    }
}

/// How long to wait, when that is what an answer is about.
fn limited(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let is_spent = number("x-ratelimit-remaining") == Some(0);
    let after = number("retry-after");
    let is_limited = match status.as_u16() {
        429 => true,
        // GitHub's way to say it.
        403 => is_spent || after.is_some(),
        503 => after.is_some(),
        _ => false,
    };
    if !is_limited {
        return None;
    }
    let until = || {
        let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset"))?;
        Some(reset.saturating_sub(now()))
    };
    Some(Duration::from_secs(after.or_else(until).unwrap_or(1)))
}

/// Seconds since 1970, as forges count them.
fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a forge names the moment when it answers again")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The address in a `Link` is not followed: it only says that there is a next page.
fn has_more(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("link").is_some_and(|link| link.contains("rel=\"next\""))
        || text("x-next-page").is_some_and(|page| !page.trim().is_empty())
}

/// The innermost reason: what is above it only repeats the address.
fn cause(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    source.to_string()
}

/// One part of a path or query, encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}
