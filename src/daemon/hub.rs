//! The one door between the loop and whoever shows, tells and asks.
//!
//! Every channel is bounded: who reads notices too slowly misses some and reads the picture again,
//! who asks too much is told so. Nobody can hold the loop up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::TURN_MAX;
use crate::sync::{Notice, Order, Picture, Refusal};

/// Notices a reader may be behind before it misses some.
const NOTICES: usize = 1024;

/// Orders that may wait to be taken.
const ORDERS: usize = 64;

/// An order and where its answer goes.
pub type Asked = (Order, oneshot::Sender<Result<(), Refusal>>);

/// The side of those who show, tell and ask. Clones are equal; a clone of `notices` is made with
/// `resubscribe` and hears what comes from then on.
pub struct Hub {
    /// What is known now.
    pub picture: watch::Receiver<Arc<Picture>>,
    /// What happens from now on.
    pub notices: broadcast::Receiver<Notice>,
    /// Where orders go. `try_send` fails when too many wait: that is [`Refusal::Busy`].
    pub orders: mpsc::Sender<Asked>,
}

impl Clone for Hub {
    fn clone(&self) -> Self {
        Self {
            picture: self.picture.clone(),
            notices: self.notices.resubscribe(),
            orders: self.orders.clone(),
        }
    }
}

impl Hub {
    /// Listens to the loop from now on.
    pub fn heart(&self) -> Heart {
        Heart { picture: self.picture.clone(), turned: tokio::time::Instant::now() }
    }

    /// Asks for something and waits for the answer.
    pub async fn ask(&self, order: Order) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.orders.try_send((order, answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Refusal::Busy("too many orders wait; ask again in a moment".to_owned())
            }
            mpsc::error::TrySendError::Closed(_) => ending(),
        })?;
        answered.await.unwrap_or_else(|_| Err(ending()))
    }
}

/// Whether the loop still goes round. It shows a picture with every turn.
pub struct Heart {
    picture: watch::Receiver<Arc<Picture>>,
    turned: tokio::time::Instant,
}

/// How long the loop may be silent before it counts as standing still: two of its longest sleeps,
/// since a turn has work to do as well.
const STILL: Duration = TURN_MAX.saturating_mul(2);

impl Heart {
    /// Whether it beats now.
    pub fn beats(&mut self) -> bool {
        if self.picture.has_changed().unwrap_or(false) {
            self.picture.mark_unchanged();
            self.turned = tokio::time::Instant::now();
        }
        self.turned.elapsed() < STILL
    }
}

/// The side of the loop.
pub struct Host {
    picture: watch::Sender<Arc<Picture>>,
    notices: broadcast::Sender<Notice>,
    orders: mpsc::Receiver<Asked>,
    said: u64,
}

impl Host {
    /// Shows a new picture.
    pub fn show(&self, picture: Picture) {
        self.picture.send_replace(Arc::new(picture));
    }

    /// Tells something; it is numbered here.
    pub fn tell(&mut self, mut notice: Notice) {
        self.said += 1;
        notice.number = self.said;
        // Nobody need listen.
        drop(self.notices.send(notice));
    }

    /// The next order; `None` when nobody can ask any more.
    pub async fn order(&mut self) -> Option<Asked> {
        self.orders.recv().await
    }
}

/// Both sides.
pub fn hub() -> (Hub, Host) {
    let (picture, shown) = watch::channel(Arc::new(Picture::default()));
    let (notices, heard) = broadcast::channel(NOTICES);
    let (orders, asked) = mpsc::channel(ORDERS);
    let hub = Hub { picture: shown, notices: heard, orders };
    (hub, Host { picture, notices, orders: asked, said: 0 })
}

fn ending() -> Refusal {
    Refusal::Busy("the daemon is ending".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;
    use crate::sync::{NoticeKind, OrderKind};

    fn order() -> Order {
        let source = Name::parse("shop").expect("a name");
        Order { source, by: "anna".to_owned(), kind: OrderKind::Fetch }
    }

    #[tokio::test]
    async fn an_order_is_answered_by_the_loop() {
        let (hub, mut host) = hub();
        let asked = tokio::spawn(async move { hub.ask(order()).await });
        let (taken, answer) = host.order().await.expect("an order");
        assert_eq!(taken, order());
        answer.send(Err(Refusal::Unknown("source shop".into()))).expect("somebody waits");
        assert_eq!(asked.await.expect("done"), Err(Refusal::Unknown("source shop".into())));
    }

    #[tokio::test]
    async fn more_orders_than_the_loop_takes_are_refused_at_once() {
        let (hub, _host) = hub();
        for _ in 0..ORDERS {
            let (answer, _) = oneshot::channel();
            hub.orders.try_send((order(), answer)).expect("room");
        }
        assert!(matches!(hub.ask(order()).await, Err(Refusal::Busy(_))));
    }

    #[tokio::test]
    async fn when_the_loop_has_ended_whoever_asks_is_told() {
        let (hub, host) = hub();
        drop(host);
        assert_eq!(hub.ask(order()).await, Err(ending()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_known_by_that_it_shows_nothing() {
        let (hub, host) = hub();
        let mut heart = hub.heart();
        for _ in 0..5 {
            tokio::time::advance(TURN_MAX + Duration::from_secs(1)).await;
            host.show(Picture::default());
            assert!(heart.beats());
        }
        tokio::time::advance(TURN_MAX).await;
        assert!(heart.beats(), "it may sleep");
        tokio::time::advance(TURN_MAX + Duration::from_secs(1)).await;
        assert!(!heart.beats());
        host.show(Picture::default());
        assert!(heart.beats(), "it goes on");
    }

    #[tokio::test]
    async fn notices_are_numbered_without_gaps() {
        let (mut hub, mut host) = hub();
        for _ in 0..2 {
            let source = Name::parse("shop").expect("a name");
            let kind = NoticeKind::Recovered;
            host.tell(Notice { number: 0, at: 5, source, stack: None, kind });
        }
        let numbers = [hub.notices.recv().await, hub.notices.recv().await];
        assert_eq!(numbers.map(|it| it.expect("a notice").number), [1, 2]);
    }
}
