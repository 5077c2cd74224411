//! The two streams: results to standard output, everything else to standard error.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::report::Reports;
use super::{Failure, Global, World};
use crate::diag::{Diagnostic, Severity, Sources, Style, hidden, printable, render};
use crate::files::Report;
use crate::ui::{self, run::ProgressStyle};

/// The most findings of one stack that people are shown: nobody reads the hundredth, and the last
/// lines of a log should be the summary.
const FINDINGS_MAX: usize = 50;

/// The most characters of a line that an event carries.
const LINE_MAX: usize = 500;

/// Where a command writes, and how.
#[derive(Debug, Default)]
pub struct Screen {
    events: bool,
    quiet: bool,
    verbose: bool,
    color_out: bool,
    color_err: bool,
    progress: bool,
    width: usize,
    /// Where events go too.
    into: Option<RefCell<File>>,
    /// What is left for a CI.
    reports: Reports,
    /// Whether what standard output is given goes into a log that is read for commands.
    is_read: bool,
    /// Whether standard output took less than it was given.
    is_broken: Cell<bool>,
}

impl Screen {
    /// What the options and the terminal allow.
    pub fn new(global: &Global, world: &World) -> Self {
        let is_plain = global.no_color
            || world.variable("NO_COLOR").is_some()
            || world.variable("TERM") == Some("dumb");
        let reports = Reports::new(&global.reports, world);
        let width = world.variable("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            events: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            color_out: world.stdout_is_terminal && !is_plain,
            color_err: world.stderr_is_terminal && !is_plain,
            progress: world.stderr_is_terminal && !global.quiet && !global.json,
            width: width.unwrap_or(0),
            into: None,
            is_read: reports.is_actions && !world.stdout_is_file,
            reports,
            is_broken: Cell::new(false),
        }
    }

    /// Begins the file that `--json-into` names.
    pub(super) fn begin(&mut self, global: &Global, world: &World) -> Result<(), Failure> {
        if let Some(path) = &global.json_into {
            let file = File::create(world.folder.join(path)).map_err(|error| {
                Failure::because(&format!("could not write {}", path.display()), &error)
            })?;
            self.into = Some(RefCell::new(file));
        }
        if self.events || self.into.is_some() {
            let version = env!("CARGO_PKG_VERSION");
            let more = json!({"gitdeploy": version, "ui": "1.2"});
            self.event("info", &format!("gitdeploy {version}"), "version", &more);
        }
        Ok(())
    }

    /// What is left for a CI, to be filled.
    pub(super) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Writes what is left for a CI, at the end of a run.
    pub(super) fn end(&self, command: &str, exit: u8) {
        let (failed, annotations) = self.reports.write(command, exit);
        failed.iter().for_each(|line| self.line(&printable(line)));
        for annotation in annotations {
            Self::raw(&annotation);
        }
    }

    /// A screen for events alone, before the options are known.
    pub fn for_events() -> Self {
        Self { events: true, ..Self::default() }
    }

    /// Whether an event could not be written.
    pub fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    /// Whether results may be coloured.
    pub fn color(&self) -> bool {
        self.color_out
    }

    /// Whether progress may be drawn on standard error.
    pub fn draws_progress(&self) -> bool {
        self.progress
    }

    /// Whether `--json` asks for events.
    pub fn wants_events(&self) -> bool {
        self.events
    }

    /// The width of the terminal in columns; 0 when it is not known.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether `--verbose` was given.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// How the progress of a run is shown.
    pub fn progress_style(&self) -> ProgressStyle {
        match (self.quiet || self.events, self.progress) {
            (true, _) => ProgressStyle::Quiet,
            (false, true) => ProgressStyle::Bars { color: self.color_err },
            (false, false) => ProgressStyle::Lines { color: self.color_err },
        }
    }

    /// Shows what happened in a run: as lines, or as one event.
    pub fn happened(&self, event: &crate::model::Event, lines: &[String]) {
        if self.tells()
            && let Some(ui::run::EventJson { level, message, kind, more }) = ui::run::json(event)
        {
            self.event(level, &message, kind, &more);
        }
        for line in lines.iter().filter(|_| !self.events) {
            self.line(line);
        }
    }

    /// With `--json`, says what a plan would change, an event each.
    pub fn planned(&self, plan: &crate::model::Plan) {
        if self.tells() {
            for ui::run::EventJson { level, message, kind, more } in ui::run::planned(plan) {
                self.event(level, &message, kind, &more);
            }
        }
    }

    /// Prints a result; with `--json`, as an event that carries it.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        self.result_as(text, || serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }

    /// The same, where programs are given something else than people.
    pub fn result_as(&self, text: &str, value: impl FnOnce() -> Value) -> Result<(), Failure> {
        if !self.events {
            let shown = if self.is_read { ui::report::neutral(text) } else { text.to_owned() };
            Self::write(&shown)?;
        }
        if self.tells() {
            self.event("info", "result", "result", &json!({ "result": value() }));
        }
        Ok(())
    }

    /// Writes to standard output. A reader that went away, as `head` does, is no failure.
    pub(super) fn write(text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::because("could not write the result", &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Says something about the work, unless `--quiet`.
    pub fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.tells() {
            self.event("info", text, "log", &json!({}));
        }
        if !self.events {
            self.line(&printable(text));
        }
    }

    /// Says something only `--verbose` asks for.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    /// Offers a next command.
    pub fn hint(&self, hint: &str) {
        if !self.events && !self.quiet {
            self.line(&format!("hint: {}", printable(hint)));
        }
    }

    /// Shows findings; people get the first 50 of them, errors before warnings.
    pub fn findings(&self, diagnostics: &[Diagnostic], sources: &Sources) {
        for diagnostic in diagnostics {
            self.reports.finding(diagnostic, sources);
        }
        let is_shown = |diagnostic: &&Diagnostic| diagnostic.is_error() || !self.quiet;
        let mut shown: Vec<&Diagnostic> = diagnostics.iter().filter(is_shown).collect();
        if self.into.is_some() && !self.events {
            shown.iter().for_each(|diagnostic| self.diagnostic_event(diagnostic, sources));
        }
        let all = shown.len();
        if !self.events && all > FINDINGS_MAX {
            shown.sort_by_key(|diagnostic| diagnostic.severity);
            shown.truncate(FINDINGS_MAX);
        }
        for diagnostic in &shown {
            if self.events {
                self.diagnostic_event(diagnostic, sources);
            } else {
                let style = Style { color: self.color_err, width: self.width };
                // A blank line keeps neighbours apart.
                self.line(&format!("{}\n\n", render(diagnostic, sources, style).trim_end()));
            }
        }
        self.more(all - shown.len());
    }

    fn more(&self, count: usize) {
        if count > 0 {
            self.line(&format!("… and {count} more\n"));
        }
    }

    /// Shows why a command failed.
    pub fn failure(&self, failure: &Failure) {
        for Report { diagnostics, sources } in &failure.reports {
            self.findings(diagnostics, sources);
        }
        self.reports.failure(&failure.message, failure.hint.as_deref());
        if !failure.message.is_empty() {
            if self.tells() {
                let detail = json!({"diagnostic": {
                    "severity": "error",
                    "summary": failure.message,
                    "detail": failure.hint.clone().unwrap_or_default(),
                }});
                self.event("error", &failure.message, "diagnostic", &detail);
            }
            if self.events {
                return;
            }
            let word = if self.color_err { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
            self.line(&format!("{word}: {}", printable(&failure.message)));
        }
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Prints one event. The envelope is that of OpenTofu's machine-readable output.
    pub fn event(&self, level: &str, message: &str, kind: &str, more: &Value) {
        let mut event = json!({
            "@level": level,
            "@message": message,
            "@module": "gitdeploy.ui",
            "@timestamp": jiff::Timestamp::now().to_string(),
            "type": kind,
        });
        if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
            event.extend(more.clone());
        }
        let line = format!("{event}\n");
        if self.events && Self::write(&line).is_err() {
            self.is_broken.set(true);
        }
        if let Some(file) = &self.into
            && file.borrow_mut().write_all(line.as_bytes()).is_err()
        {
            self.is_broken.set(true);
        }
    }

    /// Whether anybody reads events.
    fn tells(&self) -> bool {
        self.events || self.into.is_some()
    }

    fn diagnostic_event(&self, diagnostic: &Diagnostic, sources: &Sources) {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut body = json!({
            "severity": severity,
            "rule": diagnostic.rule,
            "summary": diagnostic.message,
            "detail": diagnostic.help.join("\n"),
        });
        if let Some(label) = &diagnostic.primary {
            let at = sources.locate(label.span);
            let line = at.source.text.lines().nth(at.line - 1).unwrap_or_default();
            let line = &*hidden(line);
            let (end_line, end_column) = end_of(&at.source.text, &at.range, at.line, at.column);
            body["range"] = json!({
                "filename": &*at.source.name,
                "start": {"line": at.line, "column": at.column, "byte": at.range.start},
                "end": {"line": end_line, "column": end_column, "byte": at.range.end},
            });
            // A line may be the whole file.
            let end = line.char_indices().nth(LINE_MAX).map_or(line.len(), |(offset, _)| offset);
            body["snippet"] = json!({"code": &line[..end], "start_line": at.line});
        }
        let message = format!("{severity}: {}", diagnostic.message);
        let level = if severity == "warning" { "warn" } else { severity };
        self.event(level, &message, "diagnostic", &json!({ "diagnostic": body }));
    }

    fn line(&self, text: &str) {
        match self.reports.is_actions {
            true => Self::raw(&ui::report::neutral(text)),
            false => Self::raw(text),
        }
    }

    /// A line as it is.
    fn raw(text: &str) {
        let mut err = io::stderr().lock();
        // Nobody is left to tell when standard error is gone.
        drop(err.write_all(format!("{}\n", text.strip_suffix('\n').unwrap_or(text)).as_bytes()));
    }
}

pub(super) fn end_of(
    text: &str,
    range: &std::ops::Range<usize>,
    line: usize,
    column: usize,
) -> (usize, usize) {
    let inside = text.get(range.clone()).unwrap_or_default();
    match inside.rsplit_once('\n') {
        Some((before, last)) => (line + before.matches('\n').count() + 1, last.chars().count() + 1),
        None => (line, column + inside.chars().count()),
    }
}

/// A moment as people read it, in UTC: `2026-11-21 07:21:17`.
pub(super) fn moment(millis: u64) -> String {
    let timestamp = i64::try_from(millis).ok().map(jiff::Timestamp::from_millisecond);
    match timestamp {
        Some(Ok(timestamp)) => timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        _ => "an unknown time".to_owned(),
    }
}
