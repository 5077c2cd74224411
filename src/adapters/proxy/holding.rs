//! Which of a proxy's old processes may still send to servers that are to be let go.
//!
//! Anybody's reload leaves an old process, which stays as long as its last connection, for days when
//! that is a stranger's. It can reach our servers only over a connection that it has to one of them,
//! or for a client on one of our listeners: with neither, it is not waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::front::Front;
use super::kernel::{Connection, Process};
use crate::model::{BackendKey, Endpoint};
use crate::ports::PortError;

/// How many of `workers` may still send to `servers`. Of whom nothing can be seen, that is assumed.
pub(super) async fn holding(
    front: &Front,
    workers: &[Process],
    servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
) -> Result<usize, PortError> {
    if workers.is_empty() {
        return Ok(0);
    }
    // The files first: what is opened after them belongs to a client who is among them.
    let mut opened = Vec::new();
    for worker in workers {
        opened.push(front.shell.sockets_of(worker.pid).await?);
    }
    let Some(connections) = front.shell.connected().await? else { return Ok(workers.len()) };
    let listening = front.shell.listening().await?;
    let ports: BTreeSet<u16> = front.listen.iter().map(|listen| listen.port).collect();
    let servers: BTreeSet<&Endpoint> = servers.values().flat_map(BTreeMap::values).collect();
    let ours = |connection: &&Connection| {
        ports.contains(&connection.port) || servers.contains(&connection.peer)
    };
    let mut matters: BTreeSet<u64> =
        connections.iter().filter(ours).map(|connection| connection.inode).collect();
    // One that still listens may be given a client at any moment.
    let listeners = listening.iter().filter(|socket| ports.contains(&socket.port));
    matters.extend(listeners.map(|socket| socket.inode));
    let may_send = |inodes: &&Option<Vec<u64>>| {
        inodes.as_ref().is_none_or(|all| all.iter().any(|inode| matters.contains(inode)))
    };
    Ok(opened.iter().filter(may_send).count())
}
