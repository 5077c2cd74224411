//! A simulation for people: a table over time for each service, then what could go wrong.

use std::fmt::Write as _;

use super::{LEFT_OUT, Line, Moment, Requests, Setting, Simulation, TEXT, Timeline, WhatIf};
use crate::model::Millis;
use crate::ui::words::{Tint, counted, paint, table};

/// Wide enough for every service that people look at one by one.
const DOTS_MAX: usize = 40;

/// Columns of a sentence.
const WIDTH: usize = 98;

/// The whole page.
pub fn text(simulation: &Simulation, color: bool) -> String {
    let Simulation { from, to, assumed, faults, timeline, what_if, settings } = simulation;
    let mut page = format!("Simulated from {from} to {to}.\n");
    if !faults.is_empty() {
        writeln!(page, "It goes wrong: {}.", faults.join(", ")).expect(TEXT);
    }
    page.push('\n');
    for line in &timeline.services {
        page += &service(line, color);
        page.push('\n');
    }
    if !timeline.services.is_empty() {
        page += "      # routed  + ready  . not ready  ~ draining\n\n";
    }
    page += &end(timeline, color);
    if !what_if.is_empty() {
        write!(page, "\n{}", faults_table(what_if, color)).expect(TEXT);
    }
    if !settings.is_empty() {
        write!(page, "\n{}", settings_table(settings, color)).expect(TEXT);
    }
    page + &format!("\n{}\n{}\n", wrapped(assumed), wrapped(LEFT_OUT))
}

fn service(line: &Line, color: bool) -> String {
    let replicas = match line.wanted {
        Some(0) => "goes".to_owned(),
        Some(count) => counted(usize::try_from(count).unwrap_or(usize::MAX), "replica"),
        None => "one on each host".to_owned(),
    };
    let mut page = format!("{}  {replicas}\n", paint(Tint::Bold, &line.name(), color));
    page += "      time  running  ready  routed  draining\n";
    for moment in shown(&line.moments) {
        let Moment { at, running, ready, routed, draining } = moment;
        let time = seconds(*at);
        write!(
            page,
            "{time:>10}  {running:>7}  {ready:>5}  {routed:>6}  {draining:>8}  {}",
            dots(moment)
        )
        .expect(TEXT);
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    let (least, word) = line.least();
    page + &format!("  at least {least} {word} at any time\n")
}

/// What can be told apart at a tenth of a second: the last of each, and before it the least; and the
/// very first.
fn shown(moments: &[Moment]) -> Vec<&Moment> {
    let serving = |it: &&Moment| (it.routed, it.ready);
    let mut shown: Vec<&Moment> = moments.first().into_iter().collect();
    for group in moments.chunk_by(|a, b| a.at / 100 == b.at / 100) {
        let least = group.iter().min_by_key(serving);
        let last = group.last();
        let is_less = least.as_ref().map(serving) < last.as_ref().map(serving);
        for moment in least.filter(|_| is_less).into_iter().chain(last) {
            if shown.last().is_none_or(|it| Moment { at: 0, ..**it } != Moment { at: 0, ..*moment })
            {
                shown.push(moment);
            }
        }
    }
    shown
}

/// One sign a replica.
fn dots(moment: &Moment) -> String {
    let Moment { running, ready, routed, draining, .. } = *moment;
    if running.max(routed + draining) > DOTS_MAX {
        return String::new();
    }
    let waiting = ready.saturating_sub(routed + draining);
    let rest = running.saturating_sub(routed + draining + waiting);
    ["#".repeat(routed), "+".repeat(waiting), ".".repeat(rest), "~".repeat(draining)].concat()
}

fn end(timeline: &Timeline, color: bool) -> String {
    let mut page = String::new();
    for lost in &timeline.lost {
        writeln!(page, "{}: {}", seconds(lost.at), lost.what).expect(TEXT);
    }
    page += &match timeline.lost.len() {
        0 => paint(Tint::Good, "No request was lost by the rollout.", color),
        count => paint(
            Tint::Bad,
            &format!("Requests were lost: {}, see above.", counted(count, "time")),
            color,
        ),
    };
    if let Some(Requests { sent, failed }) = timeline.requests {
        let died = match failed {
            0 => "",
            _ if timeline.lost.is_empty() => ", with the process that had taken them",
            _ => "",
        };
        write!(page, "\n{sent} requests sent, {failed} failed{died}.").expect(TEXT);
    }
    page + &format!("\n{}, {}.\n", timeline.runs.join(", then "), seconds(timeline.took))
}

fn faults_table(rows: &[WhatIf], color: bool) -> String {
    let tried: usize = rows.iter().map(|row| row.tried).sum();
    let mut cells = vec![cells(["if", "tried", "requests lost", "serving at least", "ends"])];
    for row in rows {
        let least: Vec<String> =
            row.least.iter().map(|(name, it)| format!("{name} {it}")).collect();
        let least = if least.is_empty() { "as above".to_owned() } else { least.join(", ") };
        let lost = if row.lost.is_some() { "yes" } else { "none" };
        let what = format!("  {}", row.what);
        cells.push(vec![what, row.tried.to_string(), lost.into(), least, row.ends.join("; ")]);
    }
    for cell in cells.iter_mut().take(1).flatten().take(1) {
        *cell = "  if".to_owned();
    }
    let tint = |row: usize, column: usize| match (row, column) {
        (0, _) => Some(Tint::Dim),
        (_, 2) => rows.get(row - 1).filter(|it| it.lost.is_some()).map(|_| Tint::Bad),
        _ => None,
    };
    let rollouts = counted(tried, "rollout");
    let mut page = format!("What if, at any moment ({rollouts} with one fault each):\n");
    page += &table(&cells, tint, color);
    for row in rows {
        if let Some(lost) = &row.lost {
            writeln!(page, "  {}: {lost}", row.what).expect(TEXT);
        }
    }
    let example = rows.iter().find(|row| row.tried > 1).or(rows.first());
    if let Some(row) = example {
        writeln!(page, "See one of them: gitdeploy simulate --fault {}", row.fault).expect(TEXT);
    }
    page
}

fn settings_table(rows: &[Setting], color: bool) -> String {
    let mut all = vec![cells(["  of", "set", "takes", "serving at least", "running at most", ""])];
    for row in rows {
        let what = if row.what.is_empty() { "as it is".to_owned() } else { row.what.clone() };
        let (least, most) = (row.least.to_string(), row.most.to_string());
        let ends = row.ends.clone().unwrap_or_default();
        all.push(vec![format!("  {}", row.service), what, seconds(row.took), least, most, ends]);
    }
    let tint = |row, _| (row == 0).then_some(Tint::Dim);
    format!("With other settings (--set):\n{}", table(&all, tint, color))
}

/// Lines that a usual terminal does not break.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < WIDTH => {
                write!(line, " {word}").expect(TEXT);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn cells<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// `12.3 s`: all with one digit, so that a column can be compared.
pub(super) fn seconds(time: Millis) -> String {
    format!("{}.{} s", time / 1_000, time % 1_000 / 100)
}
