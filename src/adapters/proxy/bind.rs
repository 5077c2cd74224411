//! Whether what a proxy shall listen on is free, or its own already.
//!
//! Neither proxy's checker tells of what is taken, and a reload that cannot bind changes nothing
//! (nginx) or refuses connections for seconds (HAProxy). So it is looked up beforehand. nginx's
//! checker holds what is free while it runs, whoever runs it: what is taken is looked at again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::front::Front;
use super::kernel::Process;
use crate::ports::PortError;

/// How often it is looked whether an address is taken still, and how long after one another. A
/// checker ends within tens of milliseconds.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// `Refused` when somebody else listens where the proxy shall. `family` are the proxy's processes.
pub(super) async fn refuse_taken(
    front: &Front,
    kind: &str,
    family: &[Process],
) -> Result<(), PortError> {
    let mut looks = 1;
    loop {
        match refuse_held(front, kind, family).await {
            Err(PortError::Refused(_)) if looks < LOOKS => sleep(PAUSE).await,
            looked => return looked,
        }
        looks += 1;
    }
}

/// The same at this moment.
async fn refuse_held(front: &Front, kind: &str, family: &[Process]) -> Result<(), PortError> {
    let sockets = front.shell.listening().await?;
    let mut own = BTreeSet::new();
    let mut is_known = true;
    for process in family {
        match front.shell.sockets_of(process.pid).await? {
            Some(inodes) => own.extend(inodes),
            None => is_known = false,
        }
    }
    // Whose a socket is, only root may see. A proxy that answers for us has its listeners.
    if !is_known && front.serving().await.is_some() {
        return Ok(());
    }
    for listen in &front.listen {
        let taken = sockets.iter().any(|socket| {
            socket.occupies(listen.address, listen.port) && !own.contains(&socket.inode)
        });
        if taken {
            return Err(PortError::Refused(format!(
                "{listen} is taken by another process, so {kind} could not listen there"
            )));
        }
    }
    Ok(())
}
