//! `/api/v1/`: the picture and its parts as JSON, and orders.
//!
//! Every order names its stack by source and stack, and an approval the very plan it is about: what
//! was looked at is what is carried out, or nothing is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::serve::Front;
use crate::model::{Millis, Name, PlanId, StackName};
use crate::sync::{OrderKind, Picture, Refusal, Round, StackView};

/// The largest body of an order.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long it may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// The longest name of whoever asks, and the longest reason, in characters.
const WORDS_MAX: usize = 200;

type Answer = Result<Response, Trouble>;

/// Why there is no answer, in one sentence.
pub(super) struct Trouble(StatusCode, String);

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        with(self.0, &json!({ "error": self.1 }))
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Unkept(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self(status, refusal.to_string())
    }
}

fn with(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

fn found(value: &Value) -> Response {
    with(StatusCode::OK, value)
}

fn seen(front: &Front) -> Arc<Picture> {
    Arc::clone(&front.doors.picture.borrow())
}

/// A value of ours always is JSON; a fault of ours must not end the connection all the same.
fn value(of: &impl serde::Serialize) -> Result<Value, Trouble> {
    let failed = |error: serde_json::Error| {
        Trouble(StatusCode::INTERNAL_SERVER_ERROR, format!("could not be written: {error}"))
    };
    serde_json::to_value(of).map_err(failed)
}

/// `GET /api/v1/picture`: all of it.
pub(super) async fn picture(State(front): State<Arc<Front>>) -> Answer {
    Ok(found(&value(&*seen(&front))?))
}

/// `GET /api/v1/stacks`: every stack in a few words.
pub(super) async fn stacks(State(front): State<Arc<Front>>) -> Answer {
    let picture = seen(&front);
    let mut list = Vec::new();
    for (source, name, view) in all(&picture) {
        list.push(json!({
            "source": source,
            "stack": name,
            "sync": view.sync,
            "health": view.health,
            "mode": view.mode,
            "synced": view.synced,
            "synced_at": view.synced_at,
            "waiting": view.waiting,
            "drift": view.drift,
            "plan": view.plan.as_ref().map(|plan| json!({"id": plan.id, "summary": plan.summary})),
            "running": view.running.as_ref().map(round_in_words),
        }));
    }
    Ok(found(&json!({ "stacks": list })))
}

/// `GET /api/v1/stacks/{source}/{stack}`: all of one.
pub(super) async fn stack(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
) -> Answer {
    let picture = seen(&front);
    Ok(found(&value(of(&picture, &source, &stack)?)?))
}

/// Which rounds.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    source: Option<String>,
    stack: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/rounds`: what ran and what runs, the newest first.
pub(super) async fn rounds(State(front): State<Arc<Front>>, which: Query<Which>) -> Answer {
    let picture = seen(&front);
    let is_meant =
        |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|it| it == name);
    let mut list: Vec<(u64, Value)> = Vec::new();
    for (source, name, view) in all(&picture) {
        if !is_meant(&which.source, source.as_str()) || !is_meant(&which.stack, name.as_str()) {
            continue;
        }
        for round in view.running.iter().chain(view.history.iter().map(|round| &**round)) {
            let mut entry = round_in_words(round);
            entry["source"] = json!(source);
            entry["stack"] = json!(name);
            list.push((round.number, entry));
        }
    }
    list.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let list = list.into_iter().take(which.limit.unwrap_or(100)).map(|(_, entry)| entry);
    Ok(found(&json!({ "rounds": list.collect::<Vec<_>>() })))
}

fn round_in_words(round: &Round) -> Value {
    json!({
        "number": round.number,
        "trigger": round.trigger,
        "by": round.by,
        "commit": round.commit,
        "began": round.began,
        "ended": round.ended,
        "end": round.end,
        "message": round.message,
        "done": round.done,
        "of": round.of,
    })
}

/// `GET /api/v1/plans`: the last plan of each stack, without its text.
pub(super) async fn plans(State(front): State<Arc<Front>>) -> Answer {
    let picture = seen(&front);
    let plans = all(&picture).filter_map(|(source, name, view)| {
        let plan = view.plan.as_ref()?;
        Some(json!({
            "source": source,
            "stack": name,
            "id": plan.id,
            "commit": plan.commit,
            "at": plan.at,
            "summary": plan.summary,
            "totals": plan.totals,
            "waiting": view.waiting,
        }))
    });
    Ok(found(&json!({ "plans": plans.collect::<Vec<_>>() })))
}

/// `GET /api/v1/plans/{source}/{stack}`: one with its text.
pub(super) async fn plan(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
) -> Answer {
    let picture = seen(&front);
    match &of(&picture, &source, &stack)?.plan {
        Some(plan) => Ok(found(&value(plan)?)),
        None => Err(Trouble(StatusCode::NOT_FOUND, format!("{stack} has no plan"))),
    }
}

/// `POST /api/v1/sources/{source}/fetch`: look whether the branch has moved.
pub(super) async fn fetch(
    State(front): State<Arc<Front>>,
    Path(source): Path<String>,
    body: Body,
) -> Answer {
    let said = Said::read(body).await?;
    give(&front, &source, &said, OrderKind::Fetch).await
}

/// `POST …/sync`: plan and carry out now, quarantine or not.
pub(super) async fn sync(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let said = Said::read(body).await?;
    give(&front, &source, &said, OrderKind::Sync(named(&stack)?)).await
}

/// `POST …/approve` with `{"plan": ID}`.
pub(super) async fn approve(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let said = Said::read(body).await?;
    let Some(plan) = said.plan.clone() else {
        let why = "say which plan: {\"plan\": \"…\"}, as /api/v1/plans shows it";
        return Err(Trouble(StatusCode::BAD_REQUEST, why.to_owned()));
    };
    give(&front, &source, &said, OrderKind::Approve(named(&stack)?, PlanId(plan))).await
}

/// `POST …/pause` with `{"reason": "…", "until": MILLISECONDS}`.
pub(super) async fn pause(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let said = Said::read(body).await?;
    let reason = words(said.reason.as_deref().unwrap_or_default());
    if reason.is_empty() {
        let why = "say why: {\"reason\": \"…\"}, for whoever wonders later";
        return Err(Trouble(StatusCode::BAD_REQUEST, why.to_owned()));
    }
    if said.until.is_some_and(|until| until <= front.now()) {
        return Err(Trouble(StatusCode::BAD_REQUEST, "that time is over already".to_owned()));
    }
    let kind = OrderKind::Pause { stack: named(&stack)?, until: said.until, reason };
    give(&front, &source, &said, kind).await
}

/// `POST …/resume`.
pub(super) async fn resume(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let said = Said::read(body).await?;
    give(&front, &source, &said, OrderKind::Resume(named(&stack)?)).await
}

/// What an order says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Who asks, for the history. The token proves nobody's name.
    by: Option<String>,
    plan: Option<String>,
    reason: Option<String>,
    until: Option<Millis>,
}

impl Said {
    async fn read(body: Body) -> Result<Self, Trouble> {
        let read = tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX)).await;
        let Ok(Ok(bytes)) = read else {
            let why = format!("the body did not arrive, or has more than {BODY_BYTES_MAX} bytes");
            return Err(Trouble(StatusCode::PAYLOAD_TOO_LARGE, why));
        };
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Trouble(StatusCode::BAD_REQUEST, format!("the body cannot be used: {error}"))
        })
    }
}

async fn give(front: &Front, source: &str, said: &Said, kind: OrderKind) -> Answer {
    let source = Name::parse(source).map_err(|_| unknown("source", source))?;
    let by = words(said.by.as_deref().unwrap_or_default());
    let by = if by.is_empty() { "the API" } else { &by };
    front.order(&source, by, kind).await?;
    Ok(with(StatusCode::ACCEPTED, &json!({ "taken": true })))
}

/// One short line.
fn words(text: &str) -> String {
    let line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(WORDS_MAX).collect()
}

fn named(stack: &str) -> Result<StackName, Trouble> {
    Name::parse(stack).map(StackName::from).map_err(|_| unknown("stack", stack))
}

fn unknown(what: &str, name: &str) -> Trouble {
    Trouble(StatusCode::NOT_FOUND, format!("there is no {what} `{name}`"))
}

fn all(picture: &Picture) -> impl Iterator<Item = (&Name, &StackName, &StackView)> {
    picture
        .sources
        .iter()
        .flat_map(|(source, view)| view.stacks.iter().map(move |(name, view)| (source, name, view)))
}

fn of<'a>(picture: &'a Picture, source: &str, stack: &str) -> Result<&'a StackView, Trouble> {
    let view = picture.sources.get(source).ok_or_else(|| unknown("source", source))?;
    view.stacks.get(stack).ok_or_else(|| unknown("stack", stack))
}
