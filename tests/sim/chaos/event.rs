//! What happens in a world, one event a line: as seeds make it, as files keep it.

use std::fmt;
use std::str::FromStr;

use gitdeploy::exec::Stop;
use gitdeploy::sim::{Fault, Moment};

/// Events and where they happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Whether there are three hosts, or one.
    pub(crate) is_spread: bool,
    /// The commit that is wanted in the end.
    pub(crate) goal: u64,
    pub(crate) events: Vec<Timed>,
}

/// Something that happens at a millisecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) at: u64,
    pub(crate) event: Event,
}

/// Something that happens. Hosts and proxies are numbers: whatever the fleet has, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody applies a commit.
    Run(Attempt),
    /// Something is wrong with a host for some time.
    Host(usize, Trouble, u64),
    /// A host cannot reach another one for some time.
    Way(usize, usize, u64),
    /// Something is wrong with a proxy for some time.
    Proxy(usize, Refusal, u64),
    /// Somebody is at a proxy's file.
    File(usize, Hand),
    /// Something happens to a container of a host.
    Container(usize, usize, End),
    /// An image is in no registry for some time, and on no host.
    Image(String, u64),
    /// Somebody breaks all leases of a host.
    Leases(usize),
    /// Somebody pushes a commit, and tells the daemons so.
    Push(u64),
    /// Somebody pushes a commit and starts a daemon.
    Daemon(Attempt),
    /// Somebody asks all daemons for something.
    Order(Ask),
}

/// A run or a daemon, and what it meets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) commit: u64,
    /// Milliseconds between plan and apply.
    pub(crate) thinks: u64,
    /// When it is told to stop.
    pub(crate) stops: Option<(u64, Stop)>,
    /// How much its clock is ahead.
    pub(crate) clock: i64,
    pub(crate) faults: Vec<Fault>,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $type { $($case,)* }

        impl $type {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$case,)*];

            fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)* }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|it| it.word() == text);
                found.copied().ok_or_else(|| format!("`{text}` is nothing that happens"))
            }
        }
    };
}

words!(
    /// What can be wrong with a host.
    Trouble {
        Down = "down",
        Silent = "silent",
        EngineEnds = "engine-ends",
        Slow = "slow",
        Full = "full",
        Returns = "returns-as-it-was",
        Drained = "drained",
    }
);

words!(
    /// What can be wrong with a proxy.
    Refusal {
        Rejects = "rejects",
        Hangs = "hangs",
        KeepsTheOld = "keeps-the-old-file",
    }
);

words!(
    /// What people do to a proxy's file.
    Hand {
        Edits = "edited",
        Removes = "removed",
        Reloads = "reloaded",
    }
);

words!(
    /// What can happen to a container.
    End {
        Dies = "dies",
        Removed = "removed",
        Restarts = "restarts",
        Flaps = "flaps",
        Changed = "changed",
    }
);

words!(
    /// What people ask of daemons.
    Ask {
        Pause = "pause",
        Resume = "resume",
        Sync = "sync",
    }
);

impl Schedule {
    /// Whether there are daemons in it.
    pub(crate) fn is_watched(&self) -> bool {
        let is_theirs =
            |it: &Timed| matches!(it.event, Event::Push(_) | Event::Daemon(_) | Event::Order(_));
        self.events.iter().any(is_theirs)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "fleet {}", if self.is_spread { "three" } else { "one" })?;
        writeln!(f, "goal {}", self.goal)?;
        self.events.iter().try_for_each(|it| writeln!(f, "{it}"))
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        match &self.event {
            Event::Run(attempt) => write!(f, "run {attempt}"),
            Event::Host(host, trouble, time) => write!(f, "host {host} {} {time}", trouble.word()),
            Event::Way(from, to, time) => write!(f, "way {from} {to} {time}"),
            Event::Proxy(proxy, refusal, time) => {
                write!(f, "proxy {proxy} {} {time}", refusal.word())
            }
            Event::File(proxy, hand) => write!(f, "file {proxy} {}", hand.word()),
            Event::Container(host, nth, end) => {
                write!(f, "container {host} {nth} {}", end.word())
            }
            Event::Image(reference, time) => write!(f, "image {reference} {time}"),
            Event::Leases(host) => write!(f, "leases {host}"),
            Event::Push(commit) => write!(f, "push {commit}"),
            Event::Daemon(attempt) => write!(f, "daemon {attempt}"),
            Event::Order(ask) => write!(f, "order {}", ask.word()),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.commit)?;
        if self.thinks > 0 {
            write!(f, ", thinks {}", self.thinks)?;
        }
        if self.clock != 0 {
            write!(f, ", clock {}", self.clock)?;
        }
        match self.stops {
            Some((after, Stop::Abandon)) => write!(f, ", abandons {after}")?,
            Some((after, Stop::Finish)) => write!(f, ", finishes {after}")?,
            Some((_, Stop::None)) | None => {}
        }
        let moment = |moment: &Moment| match moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        for fault in &self.faults {
            match fault {
                Fault::Kill(at, when) => write!(f, ", kill {at} {}", moment(when))?,
                Fault::Lose(at, when) => write!(f, ", lose {at} {}", moment(when))?,
                Fault::Delay(at, time) => write!(f, ", delay {at} {time}")?,
                Fault::Double(at) => write!(f, ", double {at}")?,
                Fault::Repeat(_) => write!(f, ", repeat")?,
                Fault::None => {}
            }
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = String;

    /// Lines that begin with `#` are for people.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut schedule = Self { is_spread: false, goal: 0, events: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let in_line = |why: String| format!("{line}: {why}");
            match line.split_once(' ') {
                Some(("fleet", fleet)) => schedule.is_spread = fleet == "three",
                Some(("goal", goal)) => schedule.goal = number(goal).map_err(in_line)?,
                _ => schedule.events.push(line.parse().map_err(in_line)?),
            }
        }
        Ok(schedule)
    }
}

impl FromStr for Timed {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let [at, kind, rest @ ..] = words.as_slice() else {
            return Err("it says neither when nor what".to_owned());
        };
        let event = match (*kind, rest) {
            ("run", [commit, more @ ..]) => Event::Run(attempt(commit, more)?),
            ("host", [host, what, time]) => {
                Event::Host(number(host)?, what.parse()?, number(time)?)
            }
            ("way", [from, to, time]) => Event::Way(number(from)?, number(to)?, number(time)?),
            ("proxy", [proxy, what, time]) => {
                Event::Proxy(number(proxy)?, what.parse()?, number(time)?)
            }
            ("file", [proxy, what]) => Event::File(number(proxy)?, what.parse()?),
            ("container", [host, nth, what]) => {
                Event::Container(number(host)?, number(nth)?, what.parse()?)
            }
            ("image", [reference, time]) => Event::Image((*reference).to_owned(), number(time)?),
            ("leases", [host]) => Event::Leases(number(host)?),
            ("push", [commit]) => Event::Push(number(commit)?),
            ("daemon", [commit, more @ ..]) => Event::Daemon(attempt(commit, more)?),
            ("order", [ask]) => Event::Order(ask.parse()?),
            _ => return Err(format!("`{kind}` is no event with these words")),
        };
        Ok(Self { at: number(at)?, event })
    }
}

fn attempt(commit: &str, mut words: &[&str]) -> Result<Attempt, String> {
    let mut attempt =
        Attempt { commit: number(commit)?, thinks: 0, stops: None, clock: 0, faults: Vec::new() };
    while !words.is_empty() {
        let rest = match words {
            ["thinks", time, rest @ ..] => {
                attempt.thinks = number(time)?;
                rest
            }
            ["clock", ahead, rest @ ..] => {
                attempt.clock = ahead.parse().map_err(|_| format!("`{ahead}` is no number"))?;
                rest
            }
            ["finishes", time, rest @ ..] => {
                attempt.stops = Some((number(time)?, Stop::Finish));
                rest
            }
            ["abandons", time, rest @ ..] => {
                attempt.stops = Some((number(time)?, Stop::Abandon));
                rest
            }
            ["kill", at, when, rest @ ..] => {
                attempt.faults.push(Fault::Kill(number(at)?, moment(when)?));
                rest
            }
            ["lose", at, when, rest @ ..] => {
                attempt.faults.push(Fault::Lose(number(at)?, moment(when)?));
                rest
            }
            ["delay", at, time, rest @ ..] => {
                attempt.faults.push(Fault::Delay(number(at)?, number(time)?));
                rest
            }
            ["double", at, rest @ ..] => {
                attempt.faults.push(Fault::Double(number(at)?));
                rest
            }
            _ => return Err(format!("`{}` is nothing that a run meets", words.join(" "))),
        };
        words = rest;
    }
    Ok(attempt)
}

fn moment(text: &str) -> Result<Moment, String> {
    match text {
        "before" => Ok(Moment::Before),
        "after" => Ok(Moment::After),
        _ => Err(format!("`{text}` is neither before nor after")),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}
