//! A simulation for programs.

use serde_json::{Value, json};

use super::{LEFT_OUT, Line, Lost, Moment, Requests, Setting, Simulation, WhatIf};

/// The whole simulation.
pub fn json(simulation: &Simulation) -> Value {
    let Simulation { from, to, assumed, faults, timeline, what_if, settings } = simulation;
    let mut page = json!({
        "from": from,
        "to": to,
        "faults": faults,
        "services": timeline.services.iter().map(service).collect::<Vec<_>>(),
        "violations": timeline.lost.iter().map(lost).collect::<Vec<_>>(),
        "runs": timeline.runs,
        "took_ms": timeline.took,
        "assumed": assumed,
        "not_modelled": LEFT_OUT,
    });
    if let Some(Requests { sent, failed }) = timeline.requests {
        page["requests"] = json!({"sent": sent, "failed": failed});
    }
    if !what_if.is_empty() {
        page["what_if"] = what_if.iter().map(fault).collect();
    }
    if !settings.is_empty() {
        page["settings"] = settings.iter().map(setting).collect();
    }
    page
}

fn service(line: &Line) -> Value {
    let moment = |it: &Moment| {
        let Moment { at, running, ready, routed, draining } = it;
        json!({"at_ms": at, "running": running, "ready": ready, "routed": routed,
            "draining": draining})
    };
    let (least, serving) = line.least();
    json!({
        "stack": line.stack.as_str(),
        "service": line.service.as_str(),
        "wanted": line.wanted,
        "serving": serving,
        "least": least,
        "most_running": line.most(),
        "timeline": line.moments.iter().map(moment).collect::<Vec<_>>(),
    })
}

fn lost(lost: &Lost) -> Value {
    json!({"at_ms": lost.at, "what": lost.what})
}

fn fault(row: &WhatIf) -> Value {
    let WhatIf { what, fault, tried, least, lost, ends, took } = row;
    let least: serde_json::Map<String, Value> =
        least.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
    json!({"what": what, "fault": fault, "tried": tried, "least": least, "lost": lost,
        "ends": ends, "took_ms_max": took})
}

fn setting(row: &Setting) -> Value {
    let Setting { service, what, took, least, most, ends } = row;
    json!({"service": service, "set": what, "took_ms": took, "least": least, "most_running": most,
        "ends": ends.as_deref().unwrap_or("done")})
}
