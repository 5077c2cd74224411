//! Waiting for containers: until one may be trusted with requests, or has ended well.
//!
//! A replica that ends or is started again while it is watched has failed at once: waiting longer
//! could only find it in a better moment of the same loop.

use std::time::Duration;

use tokio::time::Instant;

use crate::exec::context::{Task, answer, time};
use crate::exec::masks::Masks;
use crate::exec::repeat::{Done, Trouble};
use crate::model::{
    Endpoint, Health, LiveContainer, Millis, Nanos, OutsideProbe, Probe, Readiness, Status,
};
use crate::ports::{Applied, Engine, LogOptions, PortError, Question};

use super::container::gone;

/// Between two looks at a container, where nothing else is said.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many good answers in a row are believed.
const ANSWERS: u32 = 2;

/// How many lines of output a failure quotes.
const LINES: usize = 20;

/// How long reading them may take.
const LOG_TIME: Duration = Duration::from_secs(10);

/// Which life of a container is watched: when it began, and how often it was started again.
type Life = (Millis, u64);

/// Waits until a replica is ready and has stayed so.
pub(super) async fn ready(task: &Task<'_>, name: &str, readiness: &Readiness) -> Done {
    let mut watch = Watch { task, name, readiness, life: None, answers: 0, last: String::new() };
    match watch.until_stable().await {
        Err(Trouble::NotReady(why)) => {
            let why = if watch.last.is_empty() { why } else { format!("{why}: {}", watch.last) };
            Err(Trouble::NotReady(with_output(task, name, &why).await))
        }
        other => other,
    }
}

/// Waits until a container has ended, and says whether well.
pub(super) async fn completed(task: &Task<'_>, name: &str, within: Nanos) -> Done {
    let engine = task.engine()?;
    let limit = Instant::now() + time(within);
    let mut done = Applied::AlreadyTrue;
    loop {
        let live = task.look(|| engine.inspect(name)).await?;
        let state = live.ok_or_else(|| gone(name))?.state;
        let why = match state.status {
            Status::Exited | Status::Dead if state.exit_code == 0 => return Ok(done),
            Status::Exited | Status::Dead => format!("it ended with {}", state.exit_code),
            _ if Instant::now() >= limit => format!("it has not ended within {within}"),
            _ => {
                done = Applied::Changed;
                task.wait(INTERVAL).await?;
                continue;
            }
        };
        return Err(Trouble::Failed(with_output(task, name, &why).await));
    }
}

/// What is known of a replica that is watched.
struct Watch<'a> {
    task: &'a Task<'a>,
    name: &'a str,
    readiness: &'a Readiness,
    life: Option<Life>,
    /// Good answers in a row.
    answers: u32,
    /// What was wrong last.
    last: String,
}

impl Watch<'_> {
    async fn until_stable(&mut self) -> Done {
        let readiness = self.readiness;
        let engine = self.task.engine()?;
        let limit = Instant::now() + time(readiness.within);
        let mut ready_since = None;
        loop {
            let asked = Instant::now();
            let is_ready = self.is_ready(engine).await?;
            let now = Instant::now();
            let since = *ready_since.get_or_insert(now);
            if !is_ready {
                ready_since = None;
                if now >= limit {
                    let within = readiness.within;
                    return Err(Trouble::NotReady(format!("it was not ready within {within}")));
                }
            } else if now >= since + time(readiness.stable_for) {
                return Ok(Applied::Changed);
            }
            // A question is a part of the time to the next one; a slow one is followed by a rest.
            let interval = self.interval();
            self.task.wait(interval.saturating_sub(asked.elapsed()).max(interval / 2)).await?;
        }
    }

    fn interval(&self) -> Duration {
        let probe = self.readiness.probe.as_ref();
        let asked = probe.map_or(INTERVAL, |probe| time(probe.interval));
        asked.max(Duration::from_millis(50))
    }

    /// One look, and one question if there is one.
    async fn is_ready(&mut self, engine: &dyn Engine) -> Result<bool, Trouble> {
        let live = self.task.look(|| engine.inspect(self.name)).await?;
        let live = live.ok_or_else(|| gone(self.name))?;
        self.still_lives(&live)?;
        let is_well = !self.readiness.has_check || self.is_healthy(&live);
        let answers = match &self.readiness.probe {
            Some(probe) => self.answers(engine, probe, &live).await?,
            None => true,
        };
        Ok(is_well && answers)
    }

    fn still_lives(&mut self, live: &LiveContainer) -> Result<(), Trouble> {
        let state = &live.state;
        let life = (state.started_at, state.restarts);
        let is_same = *self.life.get_or_insert(life) == life;
        let why = match state.status {
            Status::Running if is_same => return Ok(()),
            Status::Running | Status::Restarting => {
                "its process ended and was started again".to_owned()
            }
            Status::Exited | Status::Dead => format!("its process ended with {}", state.exit_code),
            Status::Created => "it was never started".to_owned(),
            Status::Paused => "its process is frozen".to_owned(),
            Status::Removing => "it is being removed".to_owned(),
        };
        Err(Trouble::NotReady(why))
    }

    fn is_healthy(&mut self, live: &LiveContainer) -> bool {
        match &live.state.health {
            Some(Health::Healthy) => return true,
            Some(Health::Unhealthy(said)) => {
                // It may have said several lines, and this is a part of one.
                let lines: Vec<&str> = said.split_whitespace().collect();
                self.last = format!("its check says: {}", lines.join(" "));
            }
            Some(Health::Starting) => "its check has not said yet".clone_into(&mut self.last),
            None => "it has no check".clone_into(&mut self.last),
        }
        false
    }

    async fn answers(
        &mut self,
        engine: &dyn Engine,
        probe: &OutsideProbe,
        live: &LiveContainer,
    ) -> Result<bool, Trouble> {
        let at = match &probe.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => own_address(live, &probe.probe),
        };
        let question = Question { probe: &probe.probe, at: &at, timeout: probe.timeout };
        // The engine keeps to the timeout; this is for one that does not answer at all.
        let limit = Instant::now() + time(probe.timeout) + INTERVAL;
        let asked = answer(limit, async { Ok(engine.ask(question).await) }).await;
        match asked.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => self.answers = (self.answers + 1).min(ANSWERS),
            Err(said) => {
                self.answers = 0;
                self.last = said;
            }
        }
        Ok(self.answers >= ANSWERS)
    }
}

/// The container's first address; the host's own for one that has no network of its own.
fn own_address(live: &LiveContainer, probe: &Probe) -> Endpoint {
    let local = std::net::Ipv4Addr::LOCALHOST.into();
    let address = live.addresses.first().unwrap_or(local);
    let port = match probe {
        Probe::Http(http) => http.port,
        Probe::Tcp { port } => *port,
    };
    Endpoint { address, port }
}

/// Whether a container was made by another commit and may say what only that commit knows.
fn may_say_unknown_secrets(task: &Task<'_>, live: &LiveContainer) -> bool {
    let (work, made) = (task.context.work, &live.identity);
    let is_other = work.plan.commit_of(&made.stack) != Some(&made.commit);
    is_other && !(made.inputs.is_empty() && work.contents.hidden(&made.stack).is_empty())
}

/// `why`, with the last lines of the container's output and without its secrets.
async fn with_output(task: &Task<'_>, name: &str, why: &str) -> String {
    let Ok(engine) = task.engine() else { return why.to_owned() };
    let mut lines = Vec::new();
    let mut keep = |line: crate::ports::LogLine| {
        lines.push(line.text);
        true
    };
    let options = LogOptions { tail: Some(LINES), ..LogOptions::default() };
    let limit = Instant::now() + LOG_TIME;
    let read = answer(limit, engine.logs(name, &options, &mut keep)).await;
    // Without its output the failure is still told.
    drop::<Result<(), PortError>>(read);
    let masks = match engine.inspect(name).await {
        // What this run does not know, it could not cover.
        Ok(Some(live)) if may_say_unknown_secrets(task, &live) => {
            return format!("{why}; `gitdeploy logs` shows its output");
        }
        Ok(Some(live)) => Masks::of(task, name, Some(&*live.config)),
        Ok(None) | Err(_) => Masks::of(task, name, None),
    };
    let from = lines.len().saturating_sub(LINES);
    let mut text = why.to_owned();
    for line in &lines[from..] {
        text.push_str("\n  ");
        text.push_str(line);
    }
    masks.cover(&text)
}
