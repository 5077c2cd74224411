//! Lines as they are written, of replicas that come and go.
//!
//! An engine ends a log with the container's process, so the hosts are looked at again and again:
//! a replica that is new is followed from its beginning, one that runs again from where it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::Found;
use super::printer::{Printer, moment};
use crate::cli::{Exit, Failure};
use crate::model::{HostName, LiveContainer, Millis, Observed, Status};
use crate::ports::{LogLine, LogOptions, PortError};

/// Between two looks at the hosts.
const LOOK: Duration = Duration::from_secs(2);

/// How long nothing may run of what is followed before that is its end: a replica that stops first
/// is back earlier.
const GONE: Duration = Duration::from_secs(6);

/// What was read of one container so far.
#[derive(Default)]
struct Track {
    is_open: bool,
    /// The start of its process that is being read.
    started_at: Millis,
    /// When the last line was written that was shown.
    last: String,
}

/// A line and the id of its container.
type Line = (String, LogLine);

/// A container whose log has ended, and why if that was a fault.
type Ended = (LiveContainer, Result<(), PortError>);

/// Follows until nothing is left, nobody reads, or somebody interrupts.
pub(super) async fn follow(
    found: &Found<'_>,
    seen: &Observed,
    options: &LogOptions,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let (lines, mut written) = unbounded_channel();
    let (looks, mut looked) = unbounded_channel();
    let watch = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if looks.send(found.look().await).is_err() {
                return;
            }
        }
    };
    tokio::pin!(watch);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut follower = Follower {
        found,
        options,
        lines,
        tracks: BTreeMap::new(),
        names: BTreeMap::new(),
        open: FuturesUnordered::new(),
        alive_at: Instant::now(),
    };
    follower.update(seen, printer);
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => return Ok(Exit::Interrupted),
            Some((id, line)) = written.recv() => {
                if !follower.show(&id, &line, printer) {
                    return Ok(Exit::Done);
                }
            }
            Some((container, end)) = follower.open.next() => follower.ended(&container, end)?,
            Some(seen) = looked.recv() => {
                follower.update(&seen, printer);
                if follower.alive_at.elapsed() > GONE {
                    return Ok(Exit::Done);
                }
            }
            () = &mut watch => return Ok(Exit::Done),
        }
    }
}

struct Follower<'a> {
    found: &'a Found<'a>,
    options: &'a LogOptions,
    lines: UnboundedSender<Line>,
    /// By the container's id.
    tracks: BTreeMap<String, Track>,
    names: BTreeMap<String, LiveContainer>,
    open: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// When something of it was last seen alive, or to come.
    alive_at: Instant,
}

impl Follower<'_> {
    /// Opens the logs of what is new and of what runs again.
    fn update(&mut self, seen: &Observed, printer: &mut Printer) {
        let is_whole = seen.hosts.values().all(Result::is_ok);
        let replicas = self.found.chosen(seen);
        // Nothing is concluded from silence.
        if !is_whole || replicas.iter().any(|(_, it)| is_alive(it)) {
            self.alive_at = Instant::now();
        }
        printer.expect(replicas.iter().map(|(_, container)| container));
        for (host, container) in replicas {
            let track = self.tracks.entry(container.id.clone()).or_default();
            let is_new = track.started_at != container.state.started_at;
            if track.is_open || !is_new {
                continue;
            }
            track.is_open = true;
            track.started_at = container.state.started_at;
            let is_first = track.last.is_empty();
            self.names.insert(container.id.clone(), container.clone());
            self.begin(&host, container, is_first);
        }
    }

    fn begin(&self, host: &HostName, container: LiveContainer, is_first: bool) {
        let Some(engine) = self.found.engine(host) else { return };
        let mut options = self.options.clone();
        if !is_first {
            let last = self.tracks.get(&container.id).map(|track| track.last.as_str());
            let last = last.and_then(|last| last.parse::<jiff::Timestamp>().ok());
            options.since = last.and_then(|at| u64::try_from(at.as_millisecond()).ok());
            options.tail = None;
        }
        let lines = self.lines.clone();
        self.open.push(Box::pin(async move {
            let mut send = |line: LogLine| lines.send((container.id.clone(), line)).is_ok();
            let end = engine.logs(&container.name, &options, &mut send).await;
            (container, end)
        }));
    }

    /// Shows a line, unless it was shown before; `false` when nobody reads any more.
    fn show(&mut self, id: &str, line: &LogLine, printer: &mut Printer) -> bool {
        let (Some(track), Some(container)) = (self.tracks.get_mut(id), self.names.get(id)) else {
            return true;
        };
        let at = moment(&line.text);
        if !at.is_empty() {
            // An engine gives whole seconds again.
            if at <= track.last.as_str() {
                return true;
            }
            at.clone_into(&mut track.last);
        }
        printer.print(container, &line.text)
    }

    fn ended(
        &mut self,
        container: &LiveContainer,
        end: Result<(), PortError>,
    ) -> Result<(), Failure> {
        if let Some(track) = self.tracks.get_mut(&container.id) {
            track.is_open = false;
            // A connection that broke is made anew with the next look.
            if matches!(&end, Err(error) if error.is_worth_repeating()) {
                track.started_at = Millis::MAX;
            }
        }
        match end {
            Err(error @ PortError::Refused(_)) => {
                Err(Failure::new(format!("could not follow {}: {error}", container.name)))
            }
            _ => Ok(()),
        }
    }
}

/// Whether more may come of it.
fn is_alive(container: &LiveContainer) -> bool {
    match container.state.status {
        Status::Created | Status::Running | Status::Paused | Status::Restarting => true,
        Status::Removing | Status::Exited | Status::Dead => false,
    }
}
