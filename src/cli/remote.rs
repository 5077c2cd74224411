//! A daemon, asked over its API.
//!
//! The token goes to the address that was given and nowhere else: no redirect is followed. Every
//! answer is waited for a bounded time and read to a bounded length.

use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

use super::args::Daemon;
use super::commands::Run;
use super::live::block_on;
use super::{Exit, Failure};

/// For one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The largest answer: thousands of stacks with their plans.
const ANSWER_MAX: usize = 64 << 20;

/// A daemon and the way to it.
pub(super) struct Remote {
    client: reqwest::Client,
    base: Url,
    token: String,
}

impl Remote {
    /// The daemon of the options. `GITDEPLOY_TOKEN` is read where no file is named.
    pub(super) fn new(run: &Run<'_>, daemon: &Daemon) -> Result<Self, Failure> {
        let Some(server) = daemon.server.as_deref().filter(|server| !server.is_empty()) else {
            return Err(Failure::new("could not ask the daemon: it is not said which")
                .hint("add --server URL, or set GITDEPLOY_SERVER"));
        };
        let base = Url::parse(server).ok().filter(is_plain).ok_or_else(|| {
            Failure::new("could not ask the daemon: --server is not an https:// or http:// URL")
        })?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("gitdeploy/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Failure::because("could not ask the daemon", &error))?;
        Ok(Self { client, base, token: token(run, daemon)? })
    }

    /// What is there.
    pub(super) fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None)
    }

    /// An order.
    pub(super) fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, Some(body))
    }

    fn ask(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let (status, bytes) = block_on(exchange(request))?.map_err(|why| {
            Failure::new(format!("could not ask the daemon at {}: {why}", self.base))
                .exit(Exit::Unreachable)
                .hint(format!("curl {}healthz", self.base))
        })?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match status {
            200..300 => Ok(value),
            401 => Err(Failure::new("could not ask the daemon: it does not know the token")
                .exit(Exit::Refused)
                .hint("add --token-file FILE, or set GITDEPLOY_TOKEN")),
            403 => Err(Failure::new("could not ask the daemon: it was started without a token")
                .exit(Exit::Refused)
                .hint("name one under `token:` in the daemon's file")),
            _ => Err(refused(status, &value)),
        }
    }

    /// Source and stack, from `STACK` or `SOURCE/STACK`.
    pub(super) fn find(&self, name: &str) -> Result<(String, String), Failure> {
        let list = self.get(&["stacks"])?;
        let list = list["stacks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        let all = list.iter().map(|it| (text(it, "source"), text(it, "stack")));
        let is_meant = |(source, stack): &(String, String)| match name.split_once('/') {
            Some((of, name)) => source == of && stack == name,
            None => stack == name,
        };
        let mut found = all.filter(is_meant);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Failure::new(format!("the daemon has no stack `{name}`"))
                .hint(format!("gitdeploy status --server {}", self.base))),
            (Some((one, stack)), Some((other, _))) => Err(Failure::new(format!(
                "several sources have a stack `{stack}`: say `{one}/{stack}` or `{other}/{stack}`"
            ))),
        }
    }
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

fn refused(status: u16, value: &Value) -> Failure {
    let why = match value["error"].as_str() {
        Some(why) => crate::diag::printable_name(why),
        None => format!("it answers {status}"),
    };
    let failure = Failure::new(format!("the daemon refuses: {why}"));
    if status == 409 { failure.exit(Exit::Stale) } else { failure }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), String> {
    let words = |error: reqwest::Error| crate::diag::words(&error.without_url());
    let mut answer = request.send().await.map_err(words)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(words)? {
        if bytes.len() + chunk.len() > ANSWER_MAX {
            return Err(format!("its answer has more than {} MiB", ANSWER_MAX >> 20));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((answer.status().as_u16(), bytes))
}

fn token(run: &Run<'_>, daemon: &Daemon) -> Result<String, Failure> {
    let text = match &daemon.token_file {
        Some(file) => {
            let bytes = std::fs::read(run.world.folder.join(file)).map_err(|error| {
                Failure::because(&format!("could not read {}", file.display()), &error)
            })?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        None => run.world.variable("GITDEPLOY_TOKEN").unwrap_or_default().to_owned(),
    };
    let text = text.trim().to_owned();
    let is_sent = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    is_sent.then_some(text).ok_or_else(|| {
        Failure::new("could not ask the daemon: there is no token, or it is no line of text")
            .hint("add --token-file FILE, or set GITDEPLOY_TOKEN")
    })
}
