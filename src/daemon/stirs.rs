//! What the engines tell by themselves: one stream for each host, kept and renewed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Inner;
use super::place::Standing;
use crate::model::{HostName, Name, Owner};
use crate::ports::{Engine, Stir};
use crate::sync::Wake;

/// The first pause after a stream has ended; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A stream that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// The streams of one source. They end with it.
#[derive(Default)]
pub(super) struct Stirs {
    ground: Option<std::sync::Arc<crate::settings::Inventory>>,
    tasks: BTreeMap<HostName, JoinHandle<()>>,
}

impl Stirs {
    /// Listens to the hosts of this commit; streams of the same ones go on.
    pub(super) fn follow(
        &mut self,
        source: &Name,
        standing: &Standing,
        inner: &mpsc::Sender<Inner>,
    ) {
        let is_same = |it: &std::sync::Arc<_>| std::sync::Arc::ptr_eq(it, &standing.inventory);
        if self.ground.as_ref().is_some_and(is_same) {
            return;
        }
        self.end();
        self.ground = Some(std::sync::Arc::clone(&standing.inventory));
        for (host, engine) in &standing.ports.engines {
            let listener = Listener {
                source: source.clone(),
                owner: standing.owner.clone(),
                engine: std::sync::Arc::clone(engine),
                inner: inner.clone(),
            };
            self.tasks.insert(host.clone(), tokio::spawn(listener.listen()));
        }
    }

    fn end(&mut self) {
        for task in std::mem::take(&mut self.tasks).into_values() {
            task.abort();
        }
    }
}

impl Drop for Stirs {
    fn drop(&mut self) {
        self.end();
    }
}

/// Listens to one host.
struct Listener {
    source: Name,
    owner: Owner,
    engine: std::sync::Arc<dyn Engine>,
    inner: mpsc::Sender<Inner>,
}

impl Listener {
    async fn listen(self) {
        let mut pause = PAUSE;
        loop {
            let began = tokio::time::Instant::now();
            // How it ended says nothing that the next look would not say.
            drop(self.engine.events(&self.owner, &mut |stir| self.pass(stir)).await);
            if self.inner.is_closed() {
                return;
            }
            pause = if began.elapsed() >= GOOD { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
            tokio::time::sleep(pause).await;
            // Something may have happened while nobody listened.
            self.pass(Stir { stack: None, what: "listening again".to_owned() });
        }
    }

    /// Never waits: when the loop is behind, it will look anyway, and at more than this.
    fn pass(&self, stir: Stir) -> bool {
        let wake = Wake::Stirred { source: self.source.clone(), stack: stir.stack };
        !matches!(self.inner.try_send(Inner::Wake(wake)), Err(mpsc::error::TrySendError::Closed(_)))
    }
}
