//! Hosts that do not answer: asked again beside everything else, and meanwhile by nobody else.
//!
//! A silent host costs its deadline once. From then on looks and rounds take it for what it was
//! found to be, until it has answered again; then everything is looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Inner;
use super::place::Standing;
use crate::model::{Fault, HostName, Name, Observed, Owner};
use crate::ports::{Engine, Wanted};
use crate::sync::Wake;

/// The pause before a host is asked again for the first time; each later one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: so late it may be noticed that a host is back.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Those of one inventory. Whoever asks them again ends with it.
#[derive(Default)]
pub(super) struct Absences(Mutex<BTreeMap<HostName, Absent>>);

struct Absent {
    fault: Fault,
    asking: JoinHandle<()>,
}

impl Absences {
    /// What came in place of an answer, by host.
    pub(super) fn faults(&self) -> BTreeMap<HostName, Fault> {
        self.all().iter().map(|(host, absent)| (host.clone(), absent.fault.clone())).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<HostName, Absent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Absences {
    fn drop(&mut self) {
        self.all().values().for_each(|absent| absent.asking.abort());
    }
}

/// Takes note of the hosts that did not answer, and begins to ask them again.
pub(super) fn note(
    standing: &Standing,
    observed: &Observed,
    source: &Name,
    inner: &mpsc::Sender<Inner>,
) {
    let mut all = standing.absences.all();
    for (host, seen) in &observed.hosts {
        let Err(fault) = seen else { continue };
        let Some(engine) = standing.ports.engines.get(host) else { continue };
        all.entry(host.clone()).or_insert_with(|| {
            let question = Question {
                absences: Arc::downgrade(&standing.absences),
                host: host.clone(),
                engine: Arc::clone(engine),
                owner: standing.owner.clone(),
                source: source.clone(),
                inner: inner.clone(),
            };
            Absent { fault: fault.clone(), asking: tokio::spawn(question.ask()) }
        });
    }
}

/// Asks one host again and again.
struct Question {
    absences: Weak<Absences>,
    host: HostName,
    engine: Arc<dyn Engine>,
    owner: Owner,
    source: Name,
    inner: mpsc::Sender<Inner>,
}

impl Question {
    async fn ask(self) {
        let (mut pause, nothing) = (PAUSE, Wanted::default());
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            let asked = self.engine.survey(&self.owner, &nothing);
            if matches!(timeout(ANSWER, asked).await, Ok(Ok(_))) {
                break;
            }
        }
        if let Some(absences) = self.absences.upgrade() {
            absences.all().remove(&self.host);
        }
        let wake = Wake::Stirred { source: self.source, stack: None };
        // The loop may have ended.
        drop(self.inner.send(Inner::Wake(wake)).await);
    }
}
