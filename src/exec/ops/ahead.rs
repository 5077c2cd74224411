//! What the next switch may begin with while new replicas still become ready.
//!
//! A proxy that lets idle connections run out before it reloads does so for seconds, in which
//! nothing depends on the replicas. Those seconds pass here. The switch itself asks for them anew
//! where they have not passed, so nothing rests on this.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::exec::context::Task;
use crate::exec::repeat::Done;
use crate::model::{Op, ProxyPlace};

/// How long clients may be kept from idle connections for replicas that take their time: each
/// request costs them a new one.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits for a replica while the proxies that are to send to it get ready.
pub(super) async fn of(task: &Task<'_>, container: &str, wait: impl Future<Output = Done>) -> Done {
    tokio::pin!(wait);
    let places = places(task, container);
    let both = async {
        let ready = places.iter().map(|place| prepare(task, place));
        futures_util::future::join(futures_util::future::join_all(ready), &mut wait).await.1
    };
    if let Ok(done) = timeout(LONGEST, both).await {
        return done;
    }
    for place in &places {
        task.context.settle(place).await;
    }
    wait.await
}

/// The proxies whose next switch brings requests to a container.
fn places(task: &Task<'_>, container: &str) -> BTreeSet<ProxyPlace> {
    let comes = |op: &Op| match op {
        Op::Switch { place, change } => {
            let mut backends = change.set.values().filter_map(|backend| backend.to.as_ref());
            backends.any(|to| to.servers.contains_key(container)).then(|| place.clone())
        }
        _ => None,
    };
    task.context.work.plan.steps.iter().filter_map(|step| comes(&step.op)).collect()
}

async fn prepare(task: &Task<'_>, place: &ProxyPlace) {
    if !task.context.prepares(place) {
        return;
    }
    if let Ok(proxy) = task.proxy(place) {
        // What was not prepared takes longer later.
        drop(task.call(proxy.prepare()).await);
    }
}
