//! Streams of what happens: notices for programs, and for an open page that it is old.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use super::serve::{Front, ended};
use crate::sync::{Notice, Picture};

/// The shortest time between two words to a page, however much happens.
const CHANGES_APART: Duration = Duration::from_millis(250);

/// `GET /api/v1/events`: every notice as JSON, from now on. Who reads too slowly is told how many
/// were missed.
pub(super) async fn events(State(front): State<Arc<Front>>) -> Response {
    let notices = front.doors.notices.resubscribe();
    stream(&front, |seat| {
        stream::unfold((notices, seat), |(mut notices, seat)| async {
            let event = next_notice(&mut notices).await?;
            Some((event, (notices, seat)))
        })
    })
}

async fn next_notice(notices: &mut broadcast::Receiver<Notice>) -> Option<Event> {
    match notices.recv().await {
        Ok(notice) => {
            let data = serde_json::to_string(&notice).unwrap_or_else(|_| "{}".to_owned());
            Some(Event::default().event("notice").id(notice.number.to_string()).data(data))
        }
        Err(RecvError::Lagged(missed)) => {
            Some(Event::default().event("missed").data(missed.to_string()))
        }
        Err(RecvError::Closed) => None,
    }
}

/// `GET /live`: a word whenever the page has changed. What changed is not said: the page asks for
/// itself anew, so there is one way to draw it.
pub(super) async fn changes(State(front): State<Arc<Front>>) -> Response {
    let mut picture = front.doors.picture.clone();
    picture.mark_unchanged();
    stream(&front, |seat| {
        stream::unfold((picture, seat), |(mut picture, seat)| async {
            let event = next_change(&mut picture).await?;
            Some((event, (picture, seat)))
        })
    })
}

async fn next_change(picture: &mut watch::Receiver<Arc<Picture>>) -> Option<Event> {
    picture.changed().await.ok()?;
    tokio::time::sleep(CHANGES_APART).await;
    let at = picture.borrow_and_update().at;
    Some(Event::default().event("changed").data(at.to_string()))
}

/// A stream that ends with the server, if there is a seat left.
fn stream<S>(front: &Front, make: impl FnOnce(OwnedSemaphorePermit) -> S) -> Response
where
    S: Stream<Item = Event> + Send + 'static,
{
    let Ok(seat) = Arc::clone(&front.streams).try_acquire_owned() else {
        let why = "too many are listening already\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let events = make(seat).map(Ok::<_, Infallible>);
    let events = events.take_until(Box::pin(ended(front.ending.clone())));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
