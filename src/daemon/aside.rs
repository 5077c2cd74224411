//! Work that would hold up the loop: reading repositories, comparing what was seen.
//!
//! On threads of its own it ends whenever it ends. In a simulated world it is done where it is asked
//! for, so that the same seed is the same world.

use tokio::task::JoinError;

/// Where work is done that would hold up the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aside {
    /// On threads of its own.
    #[default]
    Threads,
    /// On the thread of the loop, in the order in which it is asked for.
    Loop,
}

impl Aside {
    /// Does it; `Err` when it ended in a panic.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work).await,
            Self::Loop => tokio::task::spawn_local(async { work() }).await,
        }
    }

    /// The same where a panic is one of whoever asked.
    pub(super) async fn done<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match self.run(work).await {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_wherever_the_work_is_done() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                for aside in [Aside::Threads, Aside::Loop] {
                    assert_eq!(aside.run(|| 7).await.expect("it is done"), 7);
                    let ended = aside.run(|| assert_eq!(1, 2)).await;
                    assert!(ended.is_err_and(|error| error.is_panic()));
                }
            })
            .await;
    }
}
