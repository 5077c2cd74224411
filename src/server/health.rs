//! Whether the daemon lives, and whether it is ready: for whoever restarts or routes to it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::serve::Front;

/// In place of `ready`.
const NOT_READY: &str = "not every source has been looked at yet, or what was held before cannot be \
                         read: see the page or the log\n";

/// `GET /healthz`: it lives, unless the loop that takes its orders is gone. Trouble with a repository
/// or a host is no reason to restart it.
pub(super) async fn alive(State(front): State<Arc<Front>>) -> (StatusCode, &'static str) {
    match front.doors.orders.is_closed() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "the daemon is gone\n"),
        false => (StatusCode::OK, "ok\n"),
    }
}

/// `GET /readyz`: every source has been looked at once, what was held before is known, and it is not
/// ending.
pub(super) async fn ready(State(front): State<Arc<Front>>) -> (StatusCode, &'static str) {
    let is_ready = front.doors.picture.borrow().is_ready && !*front.ending.borrow();
    match is_ready {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, NOT_READY),
    }
}
