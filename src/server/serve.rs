//! The server itself: what its routes share, and its life from a listening socket to its end.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, oneshot, watch};

use super::counts::Counts;
use super::doors::Doors;
use super::knocks::Gate;
use super::page::Pages;
use super::patience::Door;
use super::routes::router;
use crate::model::{Millis, Name};
use crate::sync::{Notice, Order, OrderKind, Refusal};

/// How long an order may wait for its answer. The daemon answers at once or never.
const ORDER_WITHIN: Duration = Duration::from_secs(5);
/// Streams at once, over all who listen.
const STREAMS_MAX: usize = 64;
/// How long requests may go on once the server is to end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// What all routes share.
pub(super) struct Front {
    pub(super) doors: Doors,
    pub(super) gates: Mutex<BTreeMap<Name, Gate>>,
    counts: Mutex<Counts>,
    pub(super) pages: Pages,
    pub(super) streams: Arc<Semaphore>,
    pub(super) ending: watch::Receiver<bool>,
}

impl Front {
    fn new(doors: Doors, ending: watch::Receiver<bool>) -> Self {
        Self {
            doors,
            gates: Mutex::default(),
            counts: Mutex::default(),
            pages: Pages::new(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            ending,
        }
    }

    pub(super) fn now(&self) -> Millis {
        (self.doors.clock)()
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an order in and waits for its answer.
    pub(super) async fn order(
        &self,
        source: &Name,
        by: &str,
        kind: OrderKind,
    ) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let order = Order { source: source.clone(), by: by.to_owned(), kind };
        let busy = |why: &str| Refusal::Busy(why.to_owned());
        self.doors
            .orders
            .try_send((order, answer))
            .map_err(|_| busy("the daemon has too much to do, or is ending"))?;
        match tokio::time::timeout(ORDER_WITHIN, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(busy("the daemon is ending")),
            Err(_) => Err(busy("the daemon does not answer")),
        }
    }
}

/// Answers on `listener` until `ending` is true or its sender is gone; then lets requests that run
/// end, for some seconds.
pub async fn serve(
    listener: TcpListener,
    doors: Doors,
    ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let notices = doors.notices.resubscribe();
    let front = Arc::new(Front::new(doors, ending.clone()));
    let service = router(&front);
    let life = axum::serve(Door::new(listener), service)
        .with_graceful_shutdown(ended(ending.clone()))
        .into_future();
    tokio::select! {
        biased;
        outcome = life => outcome,
        () = patience(ending) => Ok(()),
        // Dropping it loses counts of a server that has ended.
        () = count(&front, notices) => Ok(()),
    }
}

/// Comes when it is time to end.
pub(super) async fn ended(mut ending: watch::Receiver<bool>) {
    // A sender that is gone ends us too.
    drop(ending.wait_for(|is_ending| *is_ending).await);
}

async fn patience(ending: watch::Receiver<bool>) {
    ended(ending).await;
    tokio::time::sleep(END_WITHIN).await;
}

/// Counts what happens, for as long as the server lives.
async fn count(front: &Front, mut notices: broadcast::Receiver<Notice>) {
    loop {
        match notices.recv().await {
            Ok(notice) => front.counts().happened(&notice),
            Err(RecvError::Lagged(missed)) => front.counts().missed(missed),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A server without a socket, for the tests of its parts.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;
    use crate::server::doors::{Key, Keys};
    use crate::sync::Picture;

    pub(crate) const TOKEN: &str = "a token of sixteen and more";

    /// Nobody takes its orders.
    pub(crate) fn front() -> Arc<Front> {
        let keys = Keys { login: Key::login(TOKEN).ok(), hooks: BTreeMap::new() };
        let doors = Doors {
            picture: watch::channel(Arc::new(Picture::default())).1,
            notices: broadcast::channel(4).1,
            orders: tokio::sync::mpsc::channel(1).0,
            keys: watch::channel(Arc::new(keys)).1,
            clock: Arc::new(|| 1_700_000_000_000),
            limits: Arc::new(BTreeMap::new),
        };
        Arc::new(Front::new(doors, watch::channel(false).1))
    }
}
