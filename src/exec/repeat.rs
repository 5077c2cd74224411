//! What went wrong with a step, and when asking again is right.
//!
//! A call is repeated only when the port says that it may do better, at most [`ATTEMPTS`] times with
//! growing pauses; after an answer that was lost the world is looked at first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::model::Outcome;
use crate::ports::{Applied, PortError};

/// How often a call is made at most.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; each one after is three times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A port said so.
    Port(PortError),
    /// It did not take effect.
    Failed(String),
    /// A new replica did not become ready, which a service may allow for.
    NotReady(String),
    /// The world is not as the plan saw it.
    Superseded(String),
    /// Nobody knows whether it took effect.
    Unknown(String),
    /// A wait was given up because somebody asked to.
    Abandoned,
}

/// What a step comes to.
pub(super) type Done = Result<Applied, Trouble>;

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl Trouble {
    /// As an event tells it.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Port(PortError::Moved(why)) | Self::Superseded(why) => Outcome::Superseded(why),
            Self::Port(PortError::Unknown(why)) | Self::Unknown(why) => Outcome::Unknown(why),
            Self::Port(
                PortError::Refused(why) | PortError::NotFound(why) | PortError::Unreachable(why),
            )
            | Self::Failed(why)
            | Self::NotReady(why) => Outcome::Failed(why),
            Self::Abandoned => Outcome::Unknown("the wait was given up".to_owned()),
        }
    }

    /// The same trouble with other words.
    pub(super) fn map(self, words: impl Fn(String) -> String) -> Self {
        match self {
            Self::Port(error) => Self::Port(match error {
                PortError::Refused(why) => PortError::Refused(words(why)),
                PortError::NotFound(why) => PortError::NotFound(words(why)),
                PortError::Moved(why) => PortError::Moved(words(why)),
                PortError::Unreachable(why) => PortError::Unreachable(words(why)),
                PortError::Unknown(why) => PortError::Unknown(words(why)),
            }),
            Self::Failed(why) => Self::Failed(words(why)),
            Self::NotReady(why) => Self::NotReady(words(why)),
            Self::Superseded(why) => Self::Superseded(words(why)),
            Self::Unknown(why) => Self::Unknown(words(why)),
            Self::Abandoned => Self::Abandoned,
        }
    }

    /// Whether it says something about the replica itself: not that the host is silent, that nobody
    /// knows what happened, or that the plan does not fit any more.
    pub(super) fn is_of_replica(&self) -> bool {
        match self {
            Self::Failed(_)
            | Self::NotReady(_)
            | Self::Port(PortError::Refused(_) | PortError::NotFound(_)) => true,
            Self::Superseded(_)
            | Self::Unknown(_)
            | Self::Abandoned
            | Self::Port(PortError::Moved(_) | PortError::Unreachable(_) | PortError::Unknown(_)) => {
                false
            }
        }
    }

    /// The words alone.
    pub(super) fn words(self) -> String {
        match self.outcome() {
            Outcome::Failed(why) | Outcome::Superseded(why) | Outcome::Unknown(why) => why,
            Outcome::Tolerated(_) | Outcome::Applied | Outcome::AlreadyTrue | Outcome::Skipped => {
                String::new()
            }
        }
    }
}

/// Makes a call that may be made again and again.
pub(super) async fn repeated<T, F: Future<Output = Result<T, PortError>>>(
    call: impl Fn() -> F,
) -> Result<T, PortError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match call().await {
            Err(error) if error.is_worth_repeating() && attempt < ATTEMPTS => rest(attempt).await,
            result => return result,
        }
    }
}

/// Makes a call that looks itself before it acts. When an answer was lost, what is so already was
/// made so by that call.
pub(super) async fn repeated_effect<F: Future<Output = Result<Applied, PortError>>>(
    call: impl Fn() -> F,
) -> Result<Applied, PortError> {
    let was_sent = &AtomicBool::new(false);
    let noted = || {
        let answer = call();
        async move {
            let answer = answer.await;
            was_sent.fetch_or(matches!(answer, Err(PortError::Unknown(_))), Ordering::Relaxed);
            answer
        }
    };
    let applied = repeated(noted).await?;
    Ok(if was_sent.load(Ordering::Relaxed) { Applied::Changed } else { applied })
}

/// Makes something so: looks, acts if it is not so, and looks again. `act` is never made again
/// before a look has shown that it had no effect.
pub(super) async fn made_so<L, A>(is_so: impl Fn() -> L, act: impl Fn() -> A) -> Done
where
    L: Future<Output = Result<bool, Trouble>>,
    A: Future<Output = Done>,
{
    let mut was_sent = false;
    let mut attempt = 0;
    if is_so().await? {
        return Ok(Applied::AlreadyTrue);
    }
    loop {
        attempt += 1;
        let error = match act().await {
            Ok(applied) if is_so().await? => {
                return Ok(if was_sent { Applied::Changed } else { applied });
            }
            Ok(_) => {
                let why = "it was answered as done, and a look shows that it is not";
                return Err(Trouble::Failed(why.to_owned()));
            }
            Err(Trouble::Port(error)) if error.is_worth_repeating() => error,
            Err(trouble) => return Err(trouble),
        };
        was_sent |= matches!(error, PortError::Unknown(_));
        rest(attempt).await;
        if is_so().await? {
            return Ok(if was_sent { Applied::Changed } else { Applied::AlreadyTrue });
        }
        if attempt == ATTEMPTS {
            return Err(error.into());
        }
    }
}

/// The pause after an attempt.
async fn rest(attempt: u32) {
    sleep(FIRST_PAUSE * 3_u32.pow(attempt - 1)).await;
}
