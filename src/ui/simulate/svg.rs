//! A simulation as a picture: for each service, who served over time.

use std::fmt::Write as _;

use super::text::seconds;
use super::{Line, Moment, Simulation, TEXT};
use crate::model::Millis;

const WIDTH: u64 = 760;
const LEFT: u64 = 44;
const RIGHT: u64 = 16;
const HEAD: u64 = 64;
const CHART: u64 = 110;
const GAP: u64 = 56;

/// The whole picture.
pub fn svg(simulation: &Simulation) -> String {
    let Simulation { from, to, faults, timeline, .. } = simulation;
    let charts = u64::try_from(timeline.services.len()).unwrap_or(u64::MAX);
    let height = HEAD + charts * (CHART + GAP) + 24;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>text{{fill:#24292f}}.quiet{{fill:#6e7781}}.axis{{stroke:#8c959f;fill:none}}\
         .routed{{fill:#2da44e}}.ready{{fill:#54aeff}}.starting{{fill:#d0d7de}}\
         .draining{{fill:#fb8f44}}.lost{{stroke:#cf222e}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.quiet{{fill:#8d96a0}}\
         .starting{{fill:#484f58}}}}</style>\n"
    );
    let wrong = match faults.is_empty() {
        true => String::new(),
        false => format!(", with {}", faults.join(", ")),
    };
    picture += &words(LEFT, 20, "", &format!("From {from} to {to}{wrong}"));
    picture += &legend();
    for (number, line) in timeline.services.iter().enumerate() {
        let top = HEAD + u64::try_from(number).unwrap_or(0) * (CHART + GAP);
        picture += &chart(line, top, timeline.took.max(1));
    }
    for lost in &timeline.lost {
        let x = across(lost.at, timeline.took.max(1));
        writeln!(picture, "<line class=\"lost\" x1=\"{x}\" x2=\"{x}\" y1=\"{HEAD}\" y2=\"{}\"><title>{}</title></line>",
            height - 24,
            escaped(&lost.what)).expect(TEXT);
    }
    let lost = match timeline.lost.len() {
        0 => "no request was lost".to_owned(),
        count => format!("requests were lost {count} times"),
    };
    let end = format!("{}, {}: {lost}", timeline.runs.join(", then "), seconds(timeline.took));
    picture += &words(LEFT, height - 8, "", &end);
    picture + "</svg>\n"
}

fn legend() -> String {
    let kinds = ["routed", "ready", "starting", "draining"];
    let mut legend = String::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        let x = LEFT + u64::try_from(number).unwrap_or(0) * 90;
        writeln!(legend, "<rect class=\"{kind}\" x=\"{x}\" y=\"32\" width=\"10\" height=\"10\"/>")
            .expect(TEXT);
        legend += &words(x + 15, 41, "quiet", kind);
    }
    legend
}

/// Bars that stand on each other: routed below, then ready, not yet ready, draining.
fn chart(line: &Line, top: u64, took: Millis) -> String {
    let most = line.moments.iter().map(|it| it.running.max(it.routed + it.draining)).max();
    let most = u64::try_from(most.unwrap_or(0).max(1)).unwrap_or(u64::MAX);
    let bottom = top + CHART;
    let (least, serving) = line.least();
    let title = format!("{}: at least {least} {serving} at any time", line.name());
    let mut chart = words(LEFT, top - 6, "", &title);
    let ends = line.moments.iter().skip(1).map(|it| it.at).chain([took]);
    for (moment, end) in line.moments.iter().zip(ends) {
        let (x, next) = (across(moment.at, took), across(end, took));
        let mut y = bottom;
        for (kind, count) in parts(moment) {
            let height = count * CHART / most;
            if height == 0 || next <= x {
                continue;
            }
            y -= height;
            writeln!(
                chart,
                "<rect class=\"{kind}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
                next - x
            )
            .expect(TEXT);
        }
    }
    let right = WIDTH - RIGHT;
    writeln!(chart, "<path class=\"axis\" d=\"M{LEFT} {top}V{bottom}H{right}\"/>").expect(TEXT);
    chart += &words(LEFT - 16, bottom, "quiet", "0");
    chart += &words(LEFT - 16, top + 10, "quiet", &most.to_string());
    for quarter in 0..=4 {
        let at = took * quarter / 4;
        let x = across(at, took).saturating_sub(if quarter == 4 { 28 } else { 0 });
        chart += &words(x, bottom + 16, "quiet", &seconds(at));
    }
    chart
}

fn parts(moment: &Moment) -> [(&'static str, u64); 4] {
    let Moment { running, ready, routed, draining, .. } = *moment;
    let waiting = ready.saturating_sub(routed + draining);
    let starting = running.saturating_sub(routed + draining + waiting);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    [
        ("routed", count(routed)),
        ("ready", count(waiting)),
        ("starting", count(starting)),
        ("draining", count(draining)),
    ]
}

fn across(at: Millis, took: Millis) -> u64 {
    LEFT + (WIDTH - LEFT - RIGHT) * at.min(took) / took
}

fn words(x: u64, y: u64, class: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<text{class} x=\"{x}\" y=\"{y}\">{}</text>\n", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
