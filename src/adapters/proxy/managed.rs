//! What of a managed file the adapters read themselves: its table, whoever owns it.

use crate::model::{Name, Owner, RoutingTable};
use crate::proxy::{self, Managed};

/// The table that a file's header says, and whether the file was edited since; `None` when it is
/// no managed file.
pub(super) fn table(text: &str) -> Option<(RoutingTable, bool)> {
    let owner = text.lines().find_map(|line| line.strip_prefix("# owner: "))?;
    let (project, environment) = owner.split_once('/')?;
    let owner = Owner {
        project: Name::parse(project).ok()?.into(),
        environment: Name::parse(environment).ok()?.into(),
    };
    match proxy::read(&owner, Some(text)) {
        Managed::Ours { table, edited } => Some((table, edited)),
        Managed::Absent | Managed::Foreign { .. } => None,
    }
}
