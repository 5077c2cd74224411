//! Webhooks: a forge says that something was pushed, and the daemon looks for itself.
//!
//! Nothing that a delivery says is believed, not even when it is proved: no address, branch or
//! commit of it is used. It wakes the source whose name is in the path. The order is what keeps
//! strangers cheap: known hook, rate, type, headers, size, then the body, then its proof, and only
//! then is it parsed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::serve::Front;
use super::signature::{Claim, digest};
use crate::model::Name;
use crate::sync::{OrderKind, Refusal};

/// The largest body that is read. Forges cut theirs; the largest real pushes have some 100 KB.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Why a delivery was not taken. None of them tells what was given or what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rejection {
    /// No webhook of this name, or it has no secret: the two look alike from outside.
    Unknown,
    /// Too many at once.
    Flooded,
    /// Not JSON by its header.
    Type,
    /// The headers carry no signature of the kind that was agreed on.
    Unsigned,
    /// The signature is wrong.
    Forged,
    /// It was signed at another time.
    Stale,
    /// It is too large.
    Large,
    /// It took too long, or broke off.
    Broken,
    /// The body is no JSON object.
    Malformed,
    /// It was there before.
    Replayed,
    /// The daemon cannot take it now.
    Busy,
}

impl Rejection {
    fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Flooded => StatusCode::TOO_MANY_REQUESTS,
            Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unsigned | Self::Forged | Self::Stale => StatusCode::UNAUTHORIZED,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Replayed => StatusCode::CONFLICT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// As the metrics call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Flooded => "flooded",
            Self::Type => "wrong-type",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Large => "too-large",
            Self::Broken => "broken-off",
            Self::Malformed => "malformed",
            Self::Replayed => "replayed",
            Self::Busy => "busy",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => "there is no such webhook",
            Self::Flooded => "too many deliveries; the branch is asked for regularly anyway",
            Self::Type => "only `Content-Type: application/json` is read",
            Self::Unsigned => "the signature is missing",
            Self::Forged => "the signature is wrong",
            Self::Stale => "it was signed at another time",
            Self::Large => "the body has more than 1 MiB",
            Self::Broken => "the body did not arrive",
            Self::Malformed => "the body is no JSON object",
            Self::Replayed => "this delivery has been taken before",
            Self::Busy => "the daemon is busy or ending; it asks for the branch regularly anyway",
        }
    }
}

/// What became of a delivery that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// The source looks for itself now.
    Woken,
    /// It moves no branch.
    Ignored,
}

/// The root of every forge's body is an object; nothing in it is looked at.
#[derive(Deserialize)]
struct Payload {
    #[serde(flatten)]
    _all: std::collections::BTreeMap<String, IgnoredAny>,
}

/// `POST /hooks/{source}`.
pub(super) async fn receive(
    State(front): State<Arc<Front>>,
    Path(source): Path<String>,
    request: Request,
) -> Response {
    let name = Name::parse(&source).ok();
    let known = name.filter(|name| front.doors.keys.borrow().hooks.contains_key(name));
    let Some(name) = known else { return answer(Err(Rejection::Unknown)) };
    let outcome = take(&front, &name, request).await;
    let word = match outcome {
        Ok(Taken::Woken) => "woken",
        Ok(Taken::Ignored) => "ignored",
        Err(rejection) => rejection.word(),
    };
    front.counts().delivery(&name, word);
    answer(outcome)
}

async fn take(front: &Front, source: &Name, request: Request) -> Result<Taken, Rejection> {
    let now = (front.doors.clock)();
    front.gate(source, |gate| gate.knock(now))?;
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    // The keys may change while a body is read: what the claim was read by also proves it.
    let keys = front.doors.keys.borrow().clone();
    let key = keys.hooks.get(source).ok_or(Rejection::Unknown)?;
    let claim = Claim::of(key.kind, &parts.headers, now)?;
    let body = read(&parts.headers, body).await?;
    claim.prove(key.secret.bytes(), &body)?;
    serde_json::from_slice::<Payload>(&body).map_err(|_| Rejection::Malformed)?;
    if !claim.may_be_push() {
        return Ok(Taken::Ignored);
    }
    front.gate(source, |gate| gate.enter(&claim, digest(&body), now))?;
    match front.order(source, "webhook", OrderKind::Fetch).await {
        Ok(()) => Ok(Taken::Woken),
        Err(Refusal::Unknown(_)) => Err(Rejection::Unknown),
        // It looks already, or will: that is what was asked for.
        Err(Refusal::Conflict(_) | Refusal::Unkept(_)) => Ok(Taken::Woken),
        Err(Refusal::Busy(_)) => Err(Rejection::Busy),
    }
}

impl Front {
    fn gate<T>(&self, source: &Name, ask: impl FnOnce(&mut super::knocks::Gate) -> T) -> T {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        ask(gates.entry(source.clone()).or_default())
    }
}

/// A form would carry the body in other bytes than those that are signed.
fn is_json(headers: &HeaderMap) -> Result<(), Rejection> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Rejection::Type),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Rejection> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let said = said.and_then(|length| length.parse::<usize>().ok());
    if said.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Rejection::Large);
    }
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => Ok(body),
        // Without a length, what is too large is known only once too much has come.
        Ok(Err(_)) if said.is_none() => Err(Rejection::Large),
        Ok(Err(_)) | Err(_) => Err(Rejection::Broken),
    }
}

fn answer(outcome: Result<Taken, Rejection>) -> Response {
    match outcome {
        Ok(Taken::Woken) => (StatusCode::ACCEPTED, "the branch is asked for now\n").into_response(),
        Ok(Taken::Ignored) => (StatusCode::OK, "nothing to do for this event\n").into_response(),
        Err(rejection) => {
            (rejection.status(), format!("{}\n", rejection.sentence())).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_read() {
        let of = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().expect("a value"));
            is_json(&headers)
        };
        assert_eq!(of("application/json"), Ok(()));
        assert_eq!(of("Application/JSON; charset=utf-8"), Ok(()));
        assert_eq!(of("application/x-www-form-urlencoded"), Err(Rejection::Type));
        assert_eq!(of("application/jsonx"), Err(Rejection::Type));
        assert_eq!(is_json(&HeaderMap::new()), Err(Rejection::Type));
    }

    #[test]
    fn a_payload_is_an_object_of_whatever_depth_is_bounded() {
        let is_taken = |text: &str| serde_json::from_str::<Payload>(text).is_ok();
        assert!(is_taken("{}") && is_taken(r#"{"ref": ["refs/heads/main"]}"#));
        assert!(!is_taken("[]") && !is_taken("1") && !is_taken("") && !is_taken("{} {}"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!is_taken(&deep));
    }
}
