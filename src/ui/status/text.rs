//! The state of things as a table for people.

use std::fmt::Write as _;

use super::{ReplicaStatus, Status};
use crate::diag::printable_name;
use crate::ui::words::{Tint, counted, paint, table};

const HEADINGS: [&str; 11] = [
    "STACK",
    "SERVICE",
    "SLOT",
    "HOST",
    "CONTAINER",
    "PORT",
    "IMAGE",
    "STATE",
    "ROUTED",
    "COMMIT",
    "DRIFT",
];
const STATE: usize = 7;
const DRIFT: usize = 10;

/// The whole table, with what could not be seen below it.
pub fn text(status: &Status, color: bool) -> String {
    let mut page = replicas(status, color);
    if status.replicas.is_empty() && !status.is_blind {
        page.push_str("Nothing of this project is on the hosts that answered.\n");
    }
    for proxy in &status.proxies {
        for obstacle in &proxy.obstacles {
            let line = format!("proxy {} on {}: {}", proxy.proxy, proxy.host, obstacle);
            let _ = writeln!(page, "{}", paint(Tint::Bad, &printable_name(&line), color));
        }
        if let (Some(generation), serving) = (proxy.generation, proxy.serving)
            && serving != Some(generation)
        {
            let serves = serving.map_or("none".to_owned(), |it| it.to_string());
            let line = format!(
                "proxy {} on {}: its file is of generation {generation}, it serves {serves}",
                proxy.proxy, proxy.host
            );
            let _ = writeln!(page, "{}", paint(Tint::Notice, &printable_name(&line), color));
        }
    }
    for (host, by) in &status.drained {
        let line = printable_name(&format!("host {host} is drained by {by}"));
        let _ = writeln!(page, "{}", paint(Tint::Notice, &line, color));
    }
    for line in &status.drift {
        let _ = writeln!(page, "{}", paint(Tint::Notice, &printable_name(line), color));
    }
    for (stack, why) in &status.uncompared {
        let line = printable_name(&format!("{stack} was not compared with the commit: {why}"));
        let _ = writeln!(page, "{}", paint(Tint::Bad, &line, color));
    }
    for (what, why) in &status.unseen {
        let line = printable_name(&format!("{what} was not seen: {why}"));
        let _ = writeln!(page, "{}", paint(Tint::Bad, &line, color));
    }
    let _ = writeln!(page, "\n{}", sentence(status));
    page
}

fn replicas(status: &Status, color: bool) -> String {
    if status.replicas.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(status.replicas.iter().map(|it| row(it).to_vec()));
    let tint = |row: usize, column: usize| match (row.checked_sub(1), column) {
        (None, _) => Some(Tint::Dim),
        (Some(row), STATE) if status.replicas[row].is_well => Some(Tint::Good),
        (Some(_), STATE) => Some(Tint::Bad),
        (Some(_), DRIFT) => Some(Tint::Notice),
        (Some(_), _) => None,
    };
    table(&rows, tint, color)
}

fn row(replica: &ReplicaStatus) -> [String; 11] {
    let ports: Vec<String> = replica.ports.iter().map(u16::to_string).collect();
    [
        replica.stack.clone(),
        replica.service.clone(),
        replica.slot.to_string(),
        replica.host.clone(),
        replica.container.clone().unwrap_or_else(|| "-".into()),
        ports.join(","),
        replica.image.clone(),
        replica.state.clone(),
        routed(replica),
        replica.commit.clone(),
        replica.drift.join(", "),
    ]
}

fn routed(replica: &ReplicaStatus) -> String {
    let mut words = Vec::new();
    if !replica.routed.is_empty() {
        words.push(replica.routed.join(", "));
    }
    if !replica.draining.is_empty() {
        words.push(format!("draining: {}", replica.draining.join(", ")));
    }
    words.join("; ")
}

fn sentence(status: &Status) -> String {
    if status.is_blind {
        return "No host was seen: nothing is known about what is there.".to_owned();
    }
    let there = status.replicas.iter().filter(|it| it.container.is_some()).count();
    let not_well = status.replicas.iter().filter(|it| !it.is_well).count();
    let drifted =
        status.replicas.iter().filter(|it| !it.drift.is_empty()).count() + status.drift.len();
    let drift = match (status.is_compared, drifted) {
        (false, _) => "not compared with the commit".to_owned(),
        (true, 0) if !status.uncompared.is_empty() => {
            "as the commit wants it as far as it was compared".to_owned()
        }
        (true, 0) if status.unseen.is_empty() => "as the commit wants it".to_owned(),
        (true, 0) => "as the commit wants it as far as could be seen".to_owned(),
        (true, count) => format!("{count} not as the commit wants"),
    };
    format!("{}, {not_well} not well, {drift}.", counted(there, "container"))
}
