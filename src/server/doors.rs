//! What connects the HTTP side with whatever runs the rounds: channels and keys, nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::model::{Millis, Name};
use crate::sync::{HookKind, Notice, Order, Picture, Refusal};

/// The fewest characters of a login. There is no limit of wrong attempts, because that would let
/// anybody lock its owner out; so guessing must be hopeless.
const LOGIN_CHARS_MIN: usize = 16;

/// Where orders go; each is answered.
pub type OrderSender = mpsc::Sender<(Order, oneshot::Sender<Result<(), Refusal>>)>;

/// The time, by the clock of whoever runs the server.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// Numbers by source, as they are when they are asked for.
pub type Limits = Arc<dyn Fn() -> BTreeMap<Name, u64> + Send + Sync>;

/// All that the server sees and can do.
pub struct Doors {
    /// What is shown.
    pub picture: watch::Receiver<Arc<Picture>>,
    /// What happens; everybody who listens gets a receiver of their own from it.
    pub notices: broadcast::Receiver<Notice>,
    /// What is asked of the daemon.
    pub orders: OrderSender,
    /// Who may do what; may change while the server runs.
    pub keys: watch::Receiver<Arc<Keys>>,
    /// The time.
    pub clock: Clock,
    /// How many more questions the forge of each source takes, where it has said so.
    pub limits: Limits,
}

/// The secrets of the daemon's file, read.
#[derive(Debug, Default)]
pub struct Keys {
    /// Opens the API and the page. Without one they refuse everybody.
    pub login: Option<Key>,
    /// The webhooks by their sources. A source that is not here has none.
    pub hooks: BTreeMap<Name, HookKey>,
}

/// What a webhook is checked with.
#[derive(Debug)]
pub struct HookKey {
    /// Whose it is.
    pub kind: HookKind,
    /// The secret that both know.
    pub secret: Key,
}

/// A secret. It is never shown.
pub struct Key(Box<[u8]>);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It could be guessed.
    #[error(
        "it has fewer than {LOGIN_CHARS_MIN} characters; `openssl rand -hex 32` makes a good one"
    )]
    Short,
}

impl Key {
    /// The token of the API and the page.
    pub fn login(text: &str) -> Result<Self, KeyError> {
        let key = Self::webhook(text)?;
        match text.chars().count() < LOGIN_CHARS_MIN {
            true => Err(KeyError::Short),
            false => Ok(key),
        }
    }

    /// The secret of a webhook.
    pub fn webhook(text: &str) -> Result<Self, KeyError> {
        match text.is_empty() {
            true => Err(KeyError::Empty),
            false => Ok(Self(text.as_bytes().into())),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_could_be_guessed_is_refused() {
        assert_eq!(Key::login("").map(drop), Err(KeyError::Empty));
        assert_eq!(Key::login("fifteen letters").map(drop), Err(KeyError::Short));
        assert!(Key::login("sixteen letters.").is_ok());
        assert!(Key::webhook("x").is_ok());
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = Key::webhook("geheim").expect("a key");
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
