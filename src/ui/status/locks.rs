//! Who holds what since when, as a table and for programs.

use serde_json::{Value, json as value};

use crate::diag::printable_name;
use crate::ui::words::{Tint, table};

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockLine {
    /// What `unlock` takes.
    pub id: String,
    /// What it protects: `stack shop`.
    pub what: String,
    /// Who holds it.
    pub holder: String,
    /// What for.
    pub purpose: String,
    /// Since when, as people read it.
    pub since: String,
    /// Until when, unless it is renewed.
    pub until: String,
    /// Whether its holder is gone.
    pub is_expired: bool,
    /// The host it is kept on.
    pub host: String,
}

/// The table, and below it the hosts that did not answer with what came instead.
pub fn locks_text(lines: &[LockLine], unseen: &[(String, String)]) -> String {
    let mut page = match (lines, unseen) {
        ([], []) => "Nobody holds a lease.\n".to_owned(),
        ([], _) => "No host that answered keeps a lease.\n".to_owned(),
        _ => leases(lines),
    };
    for (host, why) in unseen {
        page += &printable_name(&format!("host {host} was not seen: {why}"));
        page.push('\n');
    }
    page
}

fn leases(lines: &[LockLine]) -> String {
    let headings = ["ID", "WHAT", "HOST", "HOLDER", "FOR", "SINCE", "UNTIL"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for line in lines {
        let until =
            if line.is_expired { format!("expired {}", line.until) } else { line.until.clone() };
        rows.push(vec![
            line.id.clone(),
            line.what.clone(),
            line.host.clone(),
            line.holder.clone(),
            line.purpose.clone(),
            line.since.clone(),
            until,
        ]);
    }
    table(&rows, |_, _| None::<Tint>, false)
}

/// The leases for programs.
pub fn locks_json(lines: &[LockLine], unseen: &[(String, String)]) -> Value {
    let lock = |line: &LockLine| {
        let LockLine { id, what, holder, purpose, since, until, is_expired, host } = line;
        value!({
            "id": id,
            "what": what,
            "host": host,
            "holder": holder,
            "purpose": purpose,
            "since": since,
            "until": until,
            "expired": is_expired,
        })
    };
    let unseen = unseen.iter();
    let errors = unseen.map(|(host, why)| value!({"what": format!("host {host}"), "message": why}));
    let errors: Vec<Value> = errors.collect();
    value!({
        "format_version": "1.0",
        "complete": errors.is_empty(),
        "locks": lines.iter().map(lock).collect::<Vec<_>>(),
        "errors": errors,
    })
}
