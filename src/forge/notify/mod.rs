//! Telling people and programs what happened: webhooks, chats, letters, statuses of commits.
//!
//! Every receiver has a queue and a task of its own, so one that is away holds up no other and
//! never the daemon. Each thing is told once; a delivery is tried a few times and then given up,
//! and that is said.

mod body;
mod letter;
mod mail;
mod post;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

pub use letter::{About, Letter, Told};
pub use mail::Mail;
pub use post::{Body, Post};

use super::{Forge, StatusState};
use crate::model::Name;
use crate::sync::Notice;

/// Letters that wait for one receiver; more are dropped, and that is said.
const QUEUE: usize = 64;

/// Somebody who is told.
pub struct Recipient {
    /// What they are called where something goes wrong with them: never an address, which may be a
    /// secret.
    pub name: String,
    /// About what they want to know.
    pub about: Vec<About>,
    /// Of which sources; all when empty.
    pub sources: Vec<Name>,
    /// How they are told.
    pub way: Way,
}

/// How somebody is told.
pub enum Way {
    /// A request over HTTP.
    Post(Post),
    /// A letter.
    Mail(Mail),
    /// The status of the commit at its forge.
    Status {
        /// The repository.
        forge: Forge,
        /// What the status is called: `gitdeploy/production`; the stack comes after it.
        context: String,
    },
}

/// How often a delivery is tried, and the pauses between: the first, twice as long each time.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// How often at most.
    pub most: u32,
    /// The first pause.
    pub pause: Duration,
    /// For one try.
    pub within: Duration,
}

impl Default for Tries {
    fn default() -> Self {
        Self { most: 5, pause: Duration::from_secs(2), within: Duration::from_secs(15) }
    }
}

/// Why a delivery did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// Another try may do.
    ForNow(String),
    /// No try will.
    ForGood(String),
}

/// Tells everybody what happens, until nothing can happen any more or `relieved` is over: what has
/// happened by then is still told. `failed` gets a sentence for whatever was not told.
pub async fn tell(
    recipients: &[Recipient],
    mut notices: broadcast::Receiver<Notice>,
    told: Arc<Mutex<Told>>,
    tries: Tries,
    relieved: impl Future<Output = ()>,
    failed: impl Fn(String),
) {
    let (queues, tasks): (Vec<_>, FuturesUnordered<_>) = recipients
        .iter()
        .map(|recipient| {
            let (queue, letters) = mpsc::channel(QUEUE);
            (queue, deliver(recipient, letters, tries, &failed))
        })
        .unzip();
    let sorting = async {
        tokio::pin!(relieved);
        loop {
            let notice = tokio::select! {
                biased;
                // Cancel-safe: a notice stays in the channel until it is taken.
                notice = notices.recv() => notice,
                // Only once nothing is left in it.
                () = &mut relieved => break,
            };
            let notice = match notice {
                Ok(notice) => notice,
                Err(RecvError::Lagged(missed)) => {
                    failed(format!("{missed} notices came too fast to be told"));
                    continue;
                }
                Err(RecvError::Closed) => break,
            };
            let letter = told.lock().unwrap_or_else(PoisonError::into_inner).letter(&notice);
            let Some(letter) = letter else { continue };
            for (recipient, queue) in recipients.iter().zip(&queues) {
                if recipient.wants(&letter) && queue.try_send(letter.clone()).is_err() {
                    failed(format!("could not tell {}: too much waits already", recipient.name));
                }
            }
        }
        drop(queues);
    };
    join(sorting, tasks.collect::<Vec<()>>()).await;
}

impl Recipient {
    fn wants(&self, letter: &Letter) -> bool {
        let of_source = self.sources.is_empty() || self.sources.contains(&letter.source);
        of_source && self.about.contains(&letter.about)
    }
}

async fn deliver(
    recipient: &Recipient,
    mut letters: mpsc::Receiver<Letter>,
    tries: Tries,
    failed: &impl Fn(String),
) {
    while let Some(letter) = letters.recv().await {
        if let Err(why) = one(recipient, &letter, tries).await {
            failed(format!("could not tell {} that {}: {why}", recipient.name, letter.title));
        }
    }
}

async fn one(recipient: &Recipient, letter: &Letter, tries: Tries) -> Result<(), String> {
    let mut pause = tries.pause;
    let mut left = tries.most;
    loop {
        left = left.saturating_sub(1);
        let outcome = tokio::time::timeout(tries.within, attempt(&recipient.way, letter)).await;
        let why = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Undelivered::ForGood(why))) => return Err(why),
            Ok(Err(Undelivered::ForNow(why))) => why,
            Err(_) => "it took too long".to_owned(),
        };
        if left == 0 {
            return Err(why);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn attempt(way: &Way, letter: &Letter) -> Result<(), Undelivered> {
    match way {
        Way::Post(post) => post.send(letter).await,
        Way::Mail(mail) => mail.send(letter).await,
        Way::Status { forge, context } => {
            let Some((commit, state)) = letter.commit.as_ref().zip(status(letter.about)) else {
                return Ok(());
            };
            let context = match &letter.stack {
                Some(stack) => format!("{context}/{stack}"),
                None => context.clone(),
            };
            let set = forge.set_status(commit.as_str(), &context, state, &letter.title, None);
            // The forge has been asked as often as is useful already.
            set.await.map(drop).map_err(|error| Undelivered::ForGood(crate::diag::words(&error)))
        }
    }
}

/// What a forge shows beside the commit; only of what ends a round.
fn status(about: About) -> Option<StatusState> {
    match about {
        About::Synced => Some(StatusState::Success),
        About::Failed | About::RolledBack => Some(StatusState::Failure),
        About::Waits => Some(StatusState::Pending),
        About::Drifted | About::Troubled | About::Recovered => None,
    }
}
