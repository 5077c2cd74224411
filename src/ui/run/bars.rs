//! A run on a terminal: one line for each service, drawn again as things go.
//!
//! Decides nothing: what a line says comes from the tally, when it is drawn from indicatif.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::tally::{Key, ServiceTally, Tally, name as of};
use super::{details, headline};
use crate::diag::printable_name;
use crate::model::{Event, Outcome, Plan};
use crate::ui::words::{Tint, paint, width};

/// How often a line is drawn while nothing happens, for the elapsed time.
const TICK: Duration = Duration::from_millis(200);

/// Draws lines on standard error.
#[derive(Debug)]
pub struct Bars {
    tally: Tally,
    color: bool,
    screen: MultiProgress,
    bars: BTreeMap<Key, ProgressBar>,
    names: usize,
}

impl Bars {
    pub(super) fn new(plan: &Plan, color: bool) -> Self {
        let tally = Tally::of(plan);
        let names = tally.services().map(|(key, _)| width(&name(key))).max().unwrap_or(0);
        let screen = MultiProgress::new();
        let mut bars = Self { tally, color, screen, bars: BTreeMap::new(), names };
        let keys: Vec<Key> = bars.tally.services().map(|(key, _)| key.clone()).collect();
        for key in keys {
            bars.draw(&key);
        }
        bars
    }

    pub(super) fn event(&mut self, event: &Event) -> Vec<String> {
        if let Some(key) = self.tally.event(event) {
            self.draw(&key);
        }
        let (tint, line, more) = match event {
            Event::Warned { message } | Event::Interrupted { message } => {
                (Tint::Notice, format!("warning: {}", headline(message)), message)
            }
            Event::RollingBack { stack, reason } => {
                (Tint::Bad, format!("{stack}  rolling back: {}", headline(reason)), reason)
            }
            // A bar has no room for what a container said last.
            Event::Ended { step, outcome: Outcome::Failed(reason), .. } => {
                (Tint::Bad, format!("{}  failed: {}", of(step), headline(reason)), reason)
            }
            Event::Finished { verdict, took } => {
                self.finish();
                return vec![self.tally.sentence(verdict, *took)];
            }
            Event::Began { .. }
            | Event::Started(_)
            | Event::Progress { .. }
            | Event::Ended { .. } => return Vec::new(),
        };
        let mut lines = vec![paint(tint, &line, self.color)];
        if !matches!(event, Event::RollingBack { .. }) {
            lines.extend(details(more));
        }
        if self.screen.is_hidden() {
            return lines;
        }
        // A terminal that went away has nobody to tell.
        drop(self.screen.println(lines.join("\n")));
        Vec::new()
    }

    pub(super) fn finish(&mut self) {
        for bar in self.bars.values().filter(|bar| !bar.is_finished()) {
            bar.abandon();
        }
    }

    fn draw(&mut self, key: &Key) {
        let Some((_, service)) = self.tally.services().find(|(of, _)| *of == key) else { return };
        let line = line(service, self.color);
        let is_done = service.left == 0 && service.now.is_empty();
        let (screen, names) = (&self.screen, self.names);
        let bar = self.bars.entry(key.clone()).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new_spinner().with_style(style()));
            bar.set_prefix(format!("{:<names$}", name(key)));
            bar.enable_steady_tick(TICK);
            bar
        });
        if is_done && !bar.is_finished() {
            bar.abandon_with_message(line);
        } else {
            bar.set_message(line);
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix}  {wide_msg} {elapsed:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn name((stack, service): &Key) -> String {
    let service = service.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    printable_name(&format!("{stack}{service}"))
}

/// `2/4  wait until acme-shop-web-3-ab12 is ready`, or why it failed.
pub(super) fn line(service: &ServiceTally, color: bool) -> String {
    let count = match service.total {
        0 => String::new(),
        total => format!("{}/{total}  ", service.done),
    };
    let now = printable_name(&service.now);
    match &service.failure {
        Some(reason) => {
            let failure = paint(Tint::Bad, &format!("failed: {}", printable_name(reason)), color);
            let now = if now.is_empty() { now } else { format!("{now}; ") };
            format!("{count}{now}{failure}")
        }
        None if service.left == 0 && now.is_empty() => {
            format!("{count}{}", paint(Tint::Good, "done", color))
        }
        None if now.is_empty() => format!("{count}waiting"),
        None => format!("{count}{now}"),
    }
}
