//! The loop: wakes in, decisions of `sync` carried out, pictures and notices out.
//!
//! Nothing is decided here. Whoever answers HTTP, writes messages or asks for something has a
//! [`Hub`] and nothing else. Fetching and reading is blocking and done on threads of its own; each
//! round is a task, and a panic in it ends that round and nothing else.

mod absences;
mod aside;
mod claims;
mod hub;
mod look;
mod place;
mod round;
mod stirs;
mod store;
mod wishes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::exec::Stop;
use crate::model::{Millis, Name, StackName};
use crate::ports::Clock;
use crate::sync::{
    Begin, Decision, GitOp, Order, Picture, Refusal, RoundEnd, Rules, Sight, Source, State, Wake,
};

pub use aside::Aside;
pub use hub::{Asked, Heart, Host, Hub, hub};
pub use place::{Connect, Reading};
pub use store::{Store, StoreFile};

use look::Glance;
use place::{Place, Question, Read, Standing, Unread};
use round::Job;
use stirs::Stirs;

/// The shortest sleep: should a time come that nothing is made of, the machine has other things to do.
const SLEEP_MIN: Millis = 10;

/// The longest sleep: a clock that jumps ahead is noticed after it.
const SLEEP_MAX: Millis = 10_000;

/// The longest time between two turns of the loop, if nothing is wrong with it.
pub const TURN_MAX: Duration = Duration::from_millis(SLEEP_MAX);

/// How long the newest commit may take to be fetched and read.
const FETCH_MAX: Duration = Duration::from_secs(15 * 60);

/// How long a look may take; every question in it has a deadline of its own.
const LOOK_MAX: Duration = Duration::from_secs(10 * 60);

/// Wakes that may wait to be handled.
const WAKES: usize = 4096;

/// The pause after what must outlive the daemon could not be written; an order is not held up by it.
const UNKEPT_PAUSE: Millis = 10_000;

/// Wakes that are handled before what has come of them is shown.
const AT_ONCE: usize = 256;

/// What the loop needs.
pub struct Setup {
    /// What it may do.
    pub rules: Rules,
    /// How repositories are read.
    pub reading: Reading,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who holds the leases.
    pub holder: String,
    /// Where what must outlive it is kept.
    pub store: Store,
    /// Whether it ends when nothing is left to do.
    pub is_once: bool,
}

/// What the process is told by signals.
#[derive(Debug)]
pub enum Command {
    /// To end: nothing new begins, and what runs is finished, or given up.
    Stop(Stop),
    /// To go on with other rules.
    Reload(Box<Rules>),
}

/// What comes back from tasks of the loop.
enum Inner {
    Wake(Wake),
    Read(Name, Box<Read>),
}

/// What is known when the daemon ends.
pub struct Ended {
    /// Everything that can be shown.
    pub picture: Picture,
    /// Whether the newest commit of a source is not signed by anybody who may.
    pub has_unsigned: bool,
}

/// One source as the loop works on it.
struct Working {
    rules: Source,
    place: Place,
    standing: Option<Arc<Standing>>,
    stirs: Stirs,
    cancel: Arc<AtomicBool>,
}

struct Daemon {
    state: State,
    host: Host,
    reading: Arc<Reading>,
    clock: Arc<dyn Clock>,
    holder: String,
    store: Store,
    /// Before this, it is not tried again to write what could not be written.
    keeps_from: Millis,
    /// Whether nobody can know what was held before.
    is_unread: bool,
    is_once: bool,
    stop: watch::Sender<Stop>,
    inner: mpsc::Sender<Inner>,
    working: BTreeMap<Name, Working>,
}

/// Works until it is told to stop; what is known at the end comes back. It must be called inside a
/// [`LocalSet`](tokio::task::LocalSet): rounds are tasks of this thread.
pub async fn run(setup: Setup, host: Host, mut commands: mpsc::Receiver<Command>) -> Ended {
    let (inner, mut came) = mpsc::channel(WAKES);
    let (stop, _) = watch::channel(Stop::None);
    let now = setup.clock.now();
    let mut daemon = Daemon {
        state: State::new(setup.rules.clone(), now),
        host,
        reading: Arc::new(setup.reading),
        clock: setup.clock,
        holder: setup.holder,
        store: setup.store,
        keeps_from: 0,
        is_unread: false,
        is_once: setup.is_once,
        stop,
        inner,
        working: BTreeMap::new(),
    };
    daemon.take_rules(&setup.rules);
    daemon.recall();
    daemon.wake(Wake::Tick);
    loop {
        daemon.keep();
        daemon.show();
        if daemon.is_over() {
            let picture = daemon.state.picture(daemon.clock.now());
            return Ended { picture, has_unsigned: daemon.state.has_unsigned() };
        }
        let due = daemon.state.next().unwrap_or(Millis::MAX);
        let sleep = due.saturating_sub(daemon.clock.now()).clamp(SLEEP_MIN, SLEEP_MAX);
        tokio::select! {
            biased;
            Some(command) = commands.recv() => daemon.command(command),
            Some(first) = came.recv() => {
                daemon.came(first);
                for _ in 0..AT_ONCE {
                    let Ok(next) = came.try_recv() else { break };
                    daemon.came(next);
                }
            }
            Some((order, answer)) = daemon.host.order() => {
                let answered = daemon.order(order);
                // Who asked may have gone.
                drop(answer.send(answered));
                daemon.wake(Wake::Tick);
            }
            () = tokio::time::sleep(Duration::from_millis(sleep)) => daemon.wake(Wake::Tick),
        }
    }
}

impl Daemon {
    fn is_over(&self) -> bool {
        let is_stopping = *self.stop.borrow() != Stop::None;
        let is_done = self.is_once && self.state.is_settled();
        (is_stopping || is_done) && self.state.running() == 0
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Stop(stop) => {
                self.stop.send_replace(stop);
                for working in self.working.values() {
                    working.cancel.store(true, Ordering::Relaxed);
                }
                self.wake(Wake::Ending);
            }
            Command::Reload(rules) => {
                self.state.reload((*rules).clone(), self.clock.now());
                self.take_rules(&rules);
                if self.is_unread {
                    self.recall();
                }
                self.wake(Wake::Tick);
            }
        }
    }

    /// Makes the working sides of sources; those that are about the same place go on.
    fn take_rules(&mut self, rules: &Rules) {
        self.working.retain(|name, _| rules.sources.contains_key(name));
        for (name, source) in &rules.sources {
            let same = self.working.get_mut(name).filter(|it| is_same_place(&it.rules, source));
            if let Some(working) = same {
                working.place = working.place.with_rules(source.clone());
                working.rules = source.clone();
                continue;
            }
            let place = Place::new(source.clone(), Arc::clone(&self.reading));
            let working = Working {
                rules: source.clone(),
                place,
                standing: None,
                stirs: Stirs::default(),
                cancel: Arc::default(),
            };
            self.working.insert(name.clone(), working);
        }
    }

    fn came(&mut self, inner: Inner) {
        match inner {
            Inner::Wake(wake) => self.wake(wake),
            Inner::Read(source, read) => self.read(source, *read),
        }
    }

    fn read(&mut self, source: Name, read: Read) {
        let Some(working) = self.working.get_mut(&source) else { return };
        match read {
            Ok((news, standing)) => {
                working.stirs.follow(&source, &standing, &self.inner);
                working.standing = Some(standing);
                self.wake(Wake::Fetched { source, news: Box::new(news) });
            }
            Err(Unread { message, is_unsigned }) => {
                self.wake(Wake::NotFetched { source, message, is_unsigned });
            }
        }
    }

    /// Takes up what an earlier daemon has left. While that cannot be read, nothing begins by itself.
    fn recall(&mut self) {
        let (now, read) = (self.clock.now(), self.store.read());
        self.is_unread = read.is_err();
        let told = match read {
            Ok(memory) => self.state.recall(now, &memory),
            Err(why) => self.state.hold(now, why),
        };
        self.carry_out(told);
    }

    /// Takes an order; who gives one that is to last is told when it will not.
    fn order(&mut self, order: Order) -> Result<(), Refusal> {
        let is_to_last = order.kind.is_to_last();
        self.state.order(self.clock.now(), order)?;
        if !is_to_last {
            return Ok(());
        }
        let kept = match self.store.is_nowhere() {
            Some(why) => Err(why.to_owned()),
            None => self.write(),
        };
        kept.map_err(|why| {
            let why = format!("it holds until the daemon is started anew, and not longer: {why}");
            Refusal::Unkept(why)
        })
    }

    /// Writes what must outlive the daemon, if it is not there already. Rounds go on when it cannot
    /// be written.
    ///
    /// It is done on the thread of the loop, though it waits for the disk: it is a small file that
    /// rarely changes, and a round that fails is to be known as failed before anything else begins.
    fn keep(&mut self) {
        let now = self.clock.now();
        if self.is_unread || now < self.keeps_from {
            return;
        }
        let kept = self.write();
        self.keeps_from = if kept.is_err() { now + UNKEPT_PAUSE } else { 0 };
        let told = self.state.note_kept(now, kept);
        self.carry_out(told);
    }

    fn write(&mut self) -> Result<(), String> {
        if self.is_unread {
            return Err("what was held before cannot be read, and is not written over".to_owned());
        }
        if self.store.take()? {
            // Who had it until now may have been told something since it was read.
            self.recall();
            if self.is_unread {
                return self.write();
            }
        }
        self.store.write(&self.state.memory(self.clock.now()))
    }

    fn wake(&mut self, wake: Wake) {
        let decisions = self.state.handle(self.clock.now(), wake);
        self.carry_out(decisions);
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Fetch { source } => self.fetch(source),
                Decision::Look { source, number, stacks, held } => {
                    self.look(source, number, stacks, held);
                }
                Decision::Begin(begin) => self.begin(*begin),
                Decision::Tell(notice) => self.host.tell(notice),
            }
        }
    }

    fn show(&self) {
        self.host.show(self.state.picture(self.clock.now()));
    }

    fn fetch(&mut self, source: Name) {
        let Some(working) = self.working.get_mut(&source) else { return };
        let cancel = Arc::<AtomicBool>::default();
        working.cancel = Arc::clone(&cancel);
        let (place, inner) = (working.place.clone(), self.inner.clone());
        let aside = self.reading.aside;
        tokio::task::spawn_local(async move {
            let given_up = Arc::clone(&cancel);
            let read = aside.run(move || place.newest(&cancel));
            let (read, question) = match tokio::time::timeout(FETCH_MAX, read).await {
                Ok(Ok((read, question))) => (read, Some(question)),
                Ok(Err(_)) => {
                    (Err("reading it ended in a fault of this program".to_owned().into()), None)
                }
                Err(_) => {
                    given_up.store(true, Ordering::Relaxed);
                    let took = Millis::try_from(FETCH_MAX.as_millis()).unwrap_or(Millis::MAX);
                    let question = Question { op: GitOp::Fetch, is_done: false, took };
                    let message = format!("no answer within {} s", FETCH_MAX.as_secs());
                    (Err(message.into()), Some(question))
                }
            };
            // The loop may have ended meanwhile.
            if let Some(Question { op, is_done, took }) = question {
                let wake = Wake::Asked { source: source.clone(), op, is_done, took };
                drop(inner.send(Inner::Wake(wake)).await);
            }
            drop(inner.send(Inner::Read(source, Box::new(read))).await);
        });
    }

    fn look(
        &self,
        source: Name,
        number: u64,
        stacks: Option<std::collections::BTreeSet<StackName>>,
        held: BTreeMap<StackName, crate::model::CommitId>,
    ) {
        let Some((standing, place)) = self.ground(&source) else { return };
        let nothing = Sight { head: standing.wish.commit.clone(), ..Sight::default() };
        let (of, wakes) = (source.clone(), self.inner.clone());
        let glance = Glance { source: of, standing, place, stacks, held, inner: wakes };
        let inner = self.inner.clone();
        tokio::task::spawn_local(async move {
            let looking = tokio::task::spawn_local(look::look(glance));
            let looked = tokio::time::timeout(LOOK_MAX, looking).await;
            // One that ended in a panic has seen nothing; the next one is made in its time.
            let sight = looked.ok().and_then(Result::ok).unwrap_or(nothing);
            let sight = Box::new(sight);
            drop(inner.send(Inner::Wake(Wake::Looked { source, number, sight })).await);
        });
    }

    fn begin(&self, begin: Begin) {
        let Some((standing, place)) = self.ground(&begin.source) else { return };
        let (source, stack) = (begin.source.clone(), begin.stack.clone());
        let job = Job {
            begin,
            standing,
            place,
            holder: self.holder.clone(),
            stop: self.stop.subscribe(),
            inner: self.inner.clone(),
        };
        let inner = self.inner.clone();
        tokio::task::spawn_local(async move {
            let ended = tokio::task::spawn_local(job.run()).await;
            let (end, message) = ended.unwrap_or_else(|error| {
                (RoundEnd::Partly, format!("the round ended in a fault of this program: {error}"))
            });
            drop(inner.send(Inner::Wake(Wake::Ended { source, stack, end, message })).await);
        });
    }

    fn ground(&self, source: &Name) -> Option<(Arc<Standing>, Place)> {
        let working = self.working.get(source)?;
        Some((Arc::clone(working.standing.as_ref()?), working.place.clone()))
    }
}

fn is_same_place(one: &Source, other: &Source) -> bool {
    one.repository == other.repository
        && one.branch == other.branch
        && one.environment == other.environment
        && one.signed_by == other.signed_by
}

#[cfg(test)]
mod tests;
