//! A machine that is reached over SSH: one session for everything, made when it is first needed
//! and made again when it has died.
//!
//! A call is sent over a session at most once. When the session dies before the call was sent, the
//! next session takes it; when it dies afterwards, the answer is lost, and is said to be.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{self, Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::channel::Channel;
use super::engine::{Engine, Line};
use super::lane::Ended;
use super::login::{Target, log_in};
use super::quote;
use super::session::{NotOpen, Place, Session};
use crate::adapters::dial;
use crate::ports::PortError;

/// The longest that a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest that a host may take to open a channel.
const OPEN: Duration = Duration::from_secs(10);

/// How many connections are being made at once: the work of agreeing on keys is for processors.
const CONNECTING_MAX: usize = 32;

/// How many commands run at once on one host. Each takes one of the sessions that sshd counts
/// (`MaxSessions`, usually 10 and sometimes set to 2); sockets and ports take none.
const COMMANDS_MAX: usize = 2;

/// How often a channel for a command is asked for, and how long is waited in between.
const CHANNEL_TRIES: u32 = 20;

const PAUSE: Duration = Duration::from_millis(100);

/// The longest that a question of ours to a host may take.
pub(super) const QUESTION: Duration = Duration::from_secs(15);

/// The first command makes sshd send without delay: it does so once a session channel has started
/// something, and holds small answers back for 40 ms before.
const WAKE: &str = "exec true";

/// Looks why a socket could not be opened.
const LOOK: &str = "test -e \"$1\" || exit 3; test -S \"$1\" || exit 4; test -w \"$1\" || exit 5";

/// Machines, each in it once: those that several hosts are reached through, and those that several
/// inventories name. A clone has the same ones. What nobody uses any more is forgotten, and its
/// session ends.
#[derive(Debug, Clone)]
pub struct Fleet {
    gate: Arc<Semaphore>,
    /// By who is logged in to where; those under one name differ in keys, or in the way there.
    hosts: Arc<sync::Mutex<BTreeMap<String, Vec<Weak<Host>>>>>,
}

/// One machine.
pub struct Host {
    target: Target,
    through: Option<Arc<Self>>,
    gate: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// The last failure to connect, and until when it is everybody's answer.
    failure: Option<(Instant, PortError)>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { gate: Arc::new(Semaphore::new(CONNECTING_MAX)), hosts: Arc::default() }
    }
}

impl Fleet {
    /// The machine that `target` describes: one that is in use already, if all that is said of it
    /// and of the way there is equal. Nothing is connected yet.
    pub fn host(&self, target: &Target) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, same| {
            same.retain(|host| host.strong_count() > 0);
            !same.is_empty()
        });
        let mut through = None;
        for machine in target.jumps.iter().chain([target]) {
            let same = hosts.entry(machine.to_string()).or_default();
            let known = same.iter().filter_map(Weak::upgrade);
            let known = known.into_iter().find(|host| host.is(machine, through.as_ref()));
            let host = known.unwrap_or_else(|| {
                let gate = Arc::clone(&self.gate);
                let host = Arc::new(Host::new(machine.clone(), through.take(), gate));
                same.push(Arc::downgrade(&host));
                host
            });
            through = Some(host);
        }
        through.expect("the target itself is always on the way")
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("target", &self.target).finish_non_exhaustive()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl Host {
    fn new(target: Target, through: Option<Arc<Self>>, gate: Arc<Semaphore>) -> Self {
        let commands = Arc::new(Semaphore::new(COMMANDS_MAX));
        Self { target, through, gate, commands, state: Mutex::default() }
    }

    /// Whether it is this machine, reached in this way.
    fn is(&self, target: &Target, through: Option<&Arc<Self>>) -> bool {
        self.target == *target && self.through.as_ref().map(Arc::as_ptr) == through.map(Arc::as_ptr)
    }

    /// A connection to a socket or a port of the host, as the host sees it.
    pub async fn open(&self, place: Place) -> Result<Channel, PortError> {
        // A session may end between the look at it and its use; then there is a new one.
        for _ in 0..2 {
            let session = self.session().await?;
            match timeout(OPEN, session.open(place.clone())).await {
                Ok(Ok(channel)) => return Ok(channel),
                Ok(Err(NotOpen::Gone)) => {}
                Ok(Err(NotOpen::Refused(why) | NotOpen::Lost(why))) => {
                    return Err(self.closed(&place, &why).await);
                }
                Err(_) => {
                    return Err(PortError::Unreachable(format!(
                        "{} did not open {place} within {} s",
                        self.target,
                        OPEN.as_secs()
                    )));
                }
            }
        }
        Err(PortError::Unreachable(format!("the connection to {} breaks", self.target)))
    }

    /// Runs `script`, which is fixed, with the host's `sh`; `words` are `$1` and so on.
    pub(in crate::adapters) async fn run(
        &self,
        script: &'static str,
        words: &[&str],
        input: &[u8],
        limit: Duration,
    ) -> Result<Ended, PortError> {
        let fixed = ["exec", "sh", "-c", script, "sh"];
        let line = quote::line(fixed.iter().chain(words).copied())?;
        let late = |_| {
            PortError::Unknown(format!("a command on {} took longer than {limit:?}", self.target))
        };
        let work = async {
            let permit = self.commands.acquire().await;
            let _permit = permit.expect("nobody closes it");
            let mut tries = 0;
            loop {
                let session = self.session().await?;
                tries += 1;
                match session.run(line.clone(), input.to_vec()).await {
                    Ok(ended) => return Ok(ended),
                    Err(NotOpen::Gone) if tries < 2 => {}
                    // The server counts a command for a moment after it has ended.
                    Err(NotOpen::Refused(_)) if tries < CHANNEL_TRIES => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(why) => return Err(self.not_run(why)),
                }
            }
        };
        timeout(limit, work).await.map_err(late)?
    }

    /// The same for a question that needs no input and is answered at once.
    pub(in crate::adapters) async fn ask(
        &self,
        script: &'static str,
        words: &[&str],
    ) -> Result<Ended, PortError> {
        self.run(script, words, b"", QUESTION).await
    }

    fn not_run(&self, why: NotOpen) -> PortError {
        let target = &self.target;
        match why {
            NotOpen::Gone => PortError::Unreachable(format!("the connection to {target} breaks")),
            NotOpen::Refused(why) => PortError::Refused(format!(
                "{target} lets us run no command; see `MaxSessions` and `ForceCommand` of its sshd: \
                 {why}"
            )),
            NotOpen::Lost(why) => {
                PortError::Unknown(format!("a command on {target} got no answer: {why}"))
            }
        }
    }

    /// The session, made if there is none that lives.
    async fn session(&self) -> Result<Session, PortError> {
        let asked_at = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|session| session.is_alive()) {
            return Ok(session.clone());
        }
        let begun_at = Instant::now();
        if let Some((until, error)) = &state.failure
            && asked_at <= *until
        {
            return Err(error.clone());
        }
        match Box::pin(self.connect()).await {
            Ok(session) => {
                *state = State { session: Some(session.clone()), failure: None };
                Ok(session)
            }
            Err(error) => {
                // All who waited meanwhile have waited for this. What took long to fail is not tried
                // again at once: a host that is away costs its time once, and not with each call.
                let now = Instant::now();
                state.failure = Some((now + (now - begun_at), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Session, PortError> {
        let target = &self.target;
        let place = || Place::Tcp(target.host.clone(), target.port);
        // A machine on the way has a place at the gate of its own, which must be free again before
        // ours is taken.
        let below = match &self.through {
            Some(jump) => Some((jump.session().await?, jump.open(place()).await?)),
            None => None,
        };
        let permit = self.gate.acquire().await;
        let _permit = permit.expect("nobody closes it");
        let (below, line): (_, Box<dyn Line>) = match below {
            Some((session, channel)) => (Some(session), Box::new(channel)),
            None => (None, Box::new(self.dial().await?)),
        };
        let failed = |error| PortError::Unreachable(format!("could not talk to {target}: {error}"));
        let mut engine = Engine::new(line).map_err(failed)?;
        log_in(&mut engine, target).await?;
        let session = Session::start(engine, below);
        let (first, commands) = (session.clone(), Arc::clone(&self.commands));
        tokio::spawn(async move {
            if let Ok(_permit) = commands.acquire().await {
                drop(first.run(WAKE.to_owned(), Vec::new()).await);
            }
        });
        Ok(session)
    }

    async fn dial(&self) -> Result<TcpStream, PortError> {
        let Target { host, port, .. } = &self.target;
        let unreachable = |why: String| {
            PortError::Unreachable(format!("could not connect to {}: {why}", self.target))
        };
        let stream = timeout(CONNECT, TcpStream::connect((host.as_str(), *port)))
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CONNECT.as_secs())))?
            .map_err(|error| unreachable(error.to_string()))?;
        dial::prepare(&stream).map_err(|error| unreachable(error.to_string()))?;
        Ok(stream)
    }

    /// Says why a place could not be opened: the protocol has one word for all reasons.
    async fn closed(&self, place: &Place, why: &str) -> PortError {
        let target = &self.target;
        let path = match place {
            Place::Tcp(..) => {
                return PortError::Unreachable(format!("{target} cannot reach {place}: {why}"));
            }
            Place::Socket(path) => path,
        };
        let looked = Box::pin(self.ask(LOOK, &[path])).await;
        let user = &target.user;
        match looked.map(|ended| ended.code) {
            Ok(3) => PortError::Unreachable(format!(
                "there is no {place} on {target}, or `{user}` cannot see it"
            )),
            Ok(4) => PortError::Refused(format!("`{path}` on {target} is not a socket")),
            Ok(5) => {
                let hint = match path.ends_with("docker.sock") {
                    true => format!("; run `sudo usermod -aG docker {user}` there"),
                    false => String::new(),
                };
                PortError::Refused(format!("`{user}` may not use {place} on {target}{hint}"))
            }
            Ok(_) => PortError::Unreachable(format!(
                "nobody answers at {place} on {target}, or its sshd forbids to connect there \
                 (`AllowStreamLocalForwarding`): {why}"
            )),
            Err(error) => error,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "`{path}`"),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::login::Key;
    use super::*;
    use crate::ssh::KnownHosts;

    fn machine(name: &str) -> Target {
        Target {
            host: name.into(),
            port: 22,
            user: "deploy".into(),
            keys: vec![Key { shown: "id".into(), text: Ok("one".into()) }],
            keys_are_named: true,
            agent: None,
            known_hosts: [KnownHosts { file: "known".into(), text: "web".into() }].into(),
            jumps: Vec::new(),
        }
    }

    fn behind(jump: Target, name: &str) -> Target {
        Target { jumps: vec![jump], ..machine(name) }
    }

    #[test]
    fn a_machine_that_two_inventories_name_is_one() {
        let (one, other) = (Fleet::default(), Fleet::default());
        let web = one.host(&machine("web"));
        assert!(Arc::ptr_eq(&web, &one.clone().host(&machine("web"))));
        assert!(!Arc::ptr_eq(&web, &other.host(&machine("web"))));
        let db = one.host(&behind(machine("web"), "db"));
        assert!(db.through.as_ref().is_some_and(|jump| Arc::ptr_eq(jump, &web)));
        assert!(Arc::ptr_eq(&db, &one.host(&behind(machine("web"), "db"))));
    }

    #[test]
    fn whatever_is_said_otherwise_makes_another_one() {
        let fleet = Fleet::default();
        let web = fleet.host(&machine("web"));
        let changes: [fn(&mut Target); 7] = [
            |it| it.host = "other".into(),
            |it| it.port = 23,
            |it| it.user = "root".into(),
            |it| it.keys[0].text = Ok("two".into()),
            |it| it.agent = Some("agent".into()),
            |it| it.known_hosts = [].into(),
            |it| it.jumps = vec![machine("jump")],
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut target = machine("web");
            change(&mut target);
            assert!(!Arc::ptr_eq(&web, &fleet.host(&target)), "{index}");
        }
        let mut jump = machine("jump");
        let through = fleet.host(&behind(jump.clone(), "web"));
        jump.keys.clear();
        assert!(!Arc::ptr_eq(&through, &fleet.host(&behind(jump, "web"))));
    }

    #[test]
    fn a_machine_that_nobody_uses_any_more_is_forgotten() {
        let fleet = Fleet::default();
        let db = fleet.host(&behind(machine("jump"), "db"));
        let jump = Arc::downgrade(db.through.as_ref().expect("a jump"));
        drop(db);
        assert!(jump.upgrade().is_none());
        let web = fleet.host(&machine("web"));
        assert_eq!(fleet.hosts.lock().expect("a list").len(), 1);
        drop(web);
    }
}
