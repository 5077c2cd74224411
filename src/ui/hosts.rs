//! Every host and proxy: whether it answers, what it is, what stands in the way.

use std::time::Duration;

use serde_json::{Value, json as value};

use super::words::{Tint, counted, table};
use crate::model::{
    HostInspection, HostState, Inspection, Joining, Millis, ProxyInspection, ProxyState,
    RoutingTable, Swarm,
};

/// From where on a clock that is off is worth a word: logs of several hosts are merged by it.
const SKEW: Millis = 2_000;

/// A disk is nearly full when less than this part of it is free: a twentieth.
const FULL_AT: u64 = 20;

/// What is wrong with a host or proxy, in words; empty when nothing is.
fn troubles(inspection: &Inspection) -> Vec<String> {
    let mut found = Vec::new();
    for host in &inspection.hosts {
        match &host.seen {
            Err(fault) => found.push(format!("{}: {}", host.host, fault.message)),
            Ok(state) if skew(host, state).unsigned_abs() > SKEW => found.push(format!(
                "{}: its clock is {} off ours: its lines stand in the wrong place in `logs`",
                host.host,
                seconds(skew(host, state))
            )),
            Ok(_) => {}
        }
        if let Some(room) = host.room.filter(|room| room.free < room.total / FULL_AT) {
            let free = gibibytes(room.free);
            found.push(format!("{}: its disk is nearly full, {free} are free", host.host));
        }
    }
    for proxy in &inspection.proxies {
        let who = format!("{} on {}", proxy.place.proxy, proxy.place.host);
        match &proxy.seen {
            Err(fault) => found.push(format!("{who}: {}", fault.message)),
            Ok(state) => found.extend(state.obstacles.iter().map(|it| format!("{who}: {it}"))),
        }
        if let Some(Err(fault)) = &proxy.test {
            found.push(format!("{who}: {}", fault.message));
        }
    }
    found
}

/// Whether nothing is wrong at all.
pub fn is_well(inspection: &Inspection) -> bool {
    troubles(inspection).is_empty()
}

/// The tables, and what is wrong below them.
pub fn text(inspection: &Inspection, color: bool) -> String {
    let headings = [
        "HOST",
        "ENGINE",
        "PLATFORM",
        "CPUS",
        "MEMORY",
        "DISK FREE",
        "CONTAINERS",
        "CLOCK",
        "SWARM",
        "ANSWERED",
    ];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(inspection.hosts.iter().map(host_row));
    let bad: Vec<bool> = inspection.hosts.iter().map(|it| it.seen.is_err()).collect();
    let tint = |row: usize, column: usize| match (row, column) {
        (0, _) => Some(Tint::Bold),
        (row, 1) if bad.get(row - 1) == Some(&true) => Some(Tint::Bad),
        _ => None,
    };
    let mut page = table(&rows, tint, color);
    if !inspection.proxies.is_empty() {
        let headings = ["PROXY", "HOST", "VERSION", "GENERATION", "ROUTES", "TEST"];
        let mut rows = vec![headings.map(str::to_owned).to_vec()];
        rows.extend(inspection.proxies.iter().map(proxy_row));
        page.push('\n');
        page += &table(&rows, |row, _| (row == 0).then_some(Tint::Bold), color);
    }
    page.push('\n');
    let troubles = troubles(inspection);
    if troubles.is_empty() {
        let hosts = counted(inspection.hosts.len(), "host");
        let proxies = match inspection.proxies.len() {
            0 => String::new(),
            some => format!(", {}", proxies(some)),
        };
        return format!("{page}All is well: {hosts}{proxies}.\n");
    }
    for trouble in troubles {
        page.push_str(&crate::diag::printable_name(&trouble));
        page.push('\n');
    }
    page
}

fn proxies(count: usize) -> String {
    if count == 1 { "1 proxy".to_owned() } else { format!("{count} proxies") }
}

fn host_row(host: &HostInspection) -> Vec<String> {
    let name = host.host.to_string();
    let Ok(state) = &host.seen else { return vec![name, "no answer".to_owned()] };
    let engine = &state.engine;
    vec![
        name,
        engine.version.clone(),
        engine.platform.clone(),
        engine.cpus.to_string(),
        gibibytes(engine.memory),
        host.room.map_or_else(|| "-".to_owned(), |room| gibibytes(room.free)),
        state.containers.len().to_string(),
        seconds(skew(host, state)),
        swarm(engine.swarm.as_ref()).to_owned(),
        answered(host.took),
    ]
}

fn proxy_row(proxy: &ProxyInspection) -> Vec<String> {
    let (name, host) = (proxy.place.proxy.to_string(), proxy.place.host.to_string());
    let Ok(state) = &proxy.seen else { return vec![name, host, "no answer".to_owned()] };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        name,
        host,
        state.version.clone(),
        or_none(state.serving.map(|generation| generation.to_string())),
        or_none(state.table.as_ref().map(|table| rules(table).to_string())),
        match &proxy.test {
            Some(Ok(())) => "passed",
            Some(Err(_)) => "failed",
            None => "-",
        }
        .to_owned(),
    ]
}

/// Everything for programs.
pub fn json(inspection: &Inspection) -> Value {
    let host = |it: &HostInspection| {
        let (host, took) = (it.host.as_str(), it.took.as_secs_f64());
        match &it.seen {
            Err(fault) => value!({"host": host, "answers": false, "error": fault.message}),
            Ok(state) => value!({
                "host": host,
                "answers": true,
                "answered_seconds": took,
                "engine": {"version": state.engine.version, "platform": state.engine.platform},
                "cpus": state.engine.cpus,
                "memory_bytes": state.engine.memory,
                "disk_free_bytes": it.room.map(|room| room.free),
                "disk_total_bytes": it.room.map(|room| room.total),
                "labels": state.engine.labels,
                "containers": state.containers.len(),
                "clock_ahead_ms": skew(it, state),
                "swarm": swarm(state.engine.swarm.as_ref()),
            }),
        }
    };
    let proxy = |it: &ProxyInspection| {
        let (name, on) = (it.place.proxy.as_str(), it.place.host.as_str());
        match &it.seen {
            Err(fault) => {
                value!({"proxy": name, "host": on, "answers": false, "error": fault.message})
            }
            Ok(state) => proxy_json(it, state),
        }
    };
    value!({
        "format_version": "1.0",
        "hosts": inspection.hosts.iter().map(host).collect::<Vec<_>>(),
        "proxies": inspection.proxies.iter().map(proxy).collect::<Vec<_>>(),
        "troubles": troubles(inspection),
    })
}

fn proxy_json(proxy: &ProxyInspection, state: &ProxyState) -> Value {
    let rules = state.table.as_ref().map(rules);
    let test = match &proxy.test {
        Some(Ok(())) => value!({"passed": true}),
        Some(Err(fault)) => value!({"passed": false, "error": fault.message}),
        None => Value::Null,
    };
    value!({
        "proxy": proxy.place.proxy.as_str(),
        "host": proxy.place.host.as_str(),
        "answers": true,
        "version": state.version,
        "generation": state.serving,
        "routes": rules,
        "obstacles": state.obstacles,
        "test": test,
    })
}

/// How many rules send requests somewhere.
fn rules(table: &RoutingTable) -> usize {
    table.backends.values().map(|backend| backend.rules.len()).sum()
}

/// By how much a host's clock is ahead of ours, in milliseconds.
fn skew(host: &HostInspection, state: &HostState) -> i64 {
    let signed = |time: Millis| i64::try_from(time).unwrap_or(i64::MAX);
    signed(state.engine.clock).saturating_sub(signed(host.at))
}

/// `+0.3 s`; the sign of a clock that is behind is a minus.
fn seconds(millis: i64) -> String {
    let tenths = millis.unsigned_abs() / 100;
    let sign = match (tenths, millis) {
        (0, _) => "",
        (_, 0..) => "+",
        _ => "-",
    };
    format!("{sign}{}.{} s", tenths / 10, tenths % 10)
}

fn swarm(swarm: Option<&Swarm>) -> &'static str {
    match swarm {
        Some(swarm) if swarm.is_manager => "manager",
        Some(_) => "worker",
        None => "-",
    }
}

fn gibibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + (1 << 29)) >> 30;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

fn answered(took: Duration) -> String {
    format!("{} ms", took.as_millis().max(1))
}

/// Who is to become a node of which swarm, before anybody is asked.
pub fn joinings(joinings: &[Joining]) -> String {
    let line = |joining: &Joining| {
        let what = match &joining.by {
            None => "makes a swarm".to_owned(),
            Some(by) => format!("joins the swarm of {by}"),
        };
        let role = if joining.as_manager { "manager" } else { "worker" };
        format!("  + {}  {what} as {role}, at {}\n", joining.host, joining.address)
    };
    let lines: String = joinings.iter().map(line).collect();
    lines + "Nodes reach each other on 2377/tcp, 7946/tcp+udp and 4789/udp.\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{EngineInfo, Fault, HostName, Name, ProxyPlace, Room};

    fn inspection() -> Inspection {
        let engine = EngineInfo {
            version: "20.10.24".into(),
            cpus: 4,
            memory: (8 << 30) - 1,
            platform: "linux/amd64".into(),
            clock: 1_010_300,
            labels: BTreeMap::new(),
            swarm: Some(Swarm { is_manager: true, ..Swarm::default() }),
        };
        let host = |name: &str, seen: Result<HostState, Fault>| HostInspection {
            room: seen.is_ok().then_some(Room { free: 3 << 30, total: 100 << 30 }),
            host: HostName::from(Name::parse(name).expect("a name")),
            seen,
            took: Duration::from_millis(12),
            at: 1_000_000,
        };
        let place = |name: &str| ProxyPlace {
            proxy: Name::parse("edge").expect("a name").into(),
            host: HostName::from(Name::parse(name).expect("a name")),
        };
        let state = ProxyState { version: "1.22.1".into(), ..ProxyState::default() };
        let fault = |message: &str| Fault::silent(message);
        Inspection {
            at: 1_000_000,
            hosts: vec![
                host("web-1", Ok(HostState { engine, ..HostState::default() })),
                host("web-2", Err(fault("no answer within 30 s"))),
            ],
            proxies: vec![ProxyInspection {
                place: place("web-1"),
                seen: Ok(state),
                test: Some(Err(fault("nginx: unknown directive"))),
            }],
        }
    }

    #[test]
    fn hosts_and_proxies_are_told_with_what_is_wrong() {
        insta::assert_snapshot!(text(&inspection(), false), @r"
        HOST   ENGINE     PLATFORM     CPUS  MEMORY   DISK FREE  CONTAINERS  CLOCK    SWARM    ANSWERED
        web-1  20.10.24   linux/amd64  4     8.0 GiB  3.0 GiB    0           +10.3 s  manager  12 ms
        web-2  no answer

        PROXY  HOST   VERSION  GENERATION  ROUTES  TEST
        edge   web-1  1.22.1   -           -       failed

        web-1: its clock is +10.3 s off ours: its lines stand in the wrong place in `logs`
        web-1: its disk is nearly full, 3.0 GiB are free
        web-2: no answer within 30 s
        edge on web-1: nginx: unknown directive
        ");
    }

    #[test]
    fn programs_are_told_the_same() {
        let page = json(&inspection());
        assert_eq!(page["hosts"][1]["answers"], false);
        assert_eq!(page["hosts"][0]["clock_ahead_ms"], 10_300);
        assert_eq!(page["proxies"][0]["test"]["passed"], false);
        assert_eq!(page["troubles"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn a_clock_that_is_off_or_a_full_disk_is_no_fleet_that_is_well() {
        let mut ill = inspection();
        ill.proxies.clear();
        ill.hosts.truncate(1);
        assert!(!is_well(&ill));
        ill.hosts[0].at = 1_010_290;
        assert!(!is_well(&ill), "its disk is nearly full");
        ill.hosts[0].room = None;
        assert!(is_well(&ill));
    }

    #[test]
    fn a_fleet_that_is_well_says_so() {
        let mut well = inspection();
        well.hosts.truncate(1);
        (well.hosts[0].at, well.hosts[0].room) = (1_010_290, None);
        well.proxies[0].test = Some(Ok(()));
        assert!(text(&well, false).ends_with("All is well: 1 host, 1 proxy.\n"));
    }
}
