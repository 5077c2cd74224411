//! What the next switch may begin with while new replicas still become ready.
//!
//! A proxy that lets idle connections run out before it reloads does so for seconds, in which
//! nothing depends on the replicas. Those seconds pass here, and the proxy's checker looks at the
//! file to come, which is known before anybody is ready. The switch itself asks for both anew where
//! that has not been done, so nothing rests on this.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::timeout;

use crate::exec::context::Task;
use crate::exec::repeat::Done;
use crate::model::{Op, ProxyPlace, RouteChange};

use super::switch;

/// How long clients may be kept from idle connections for replicas that take their time: each
/// request costs them a new one.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits for a replica while the proxies that are to send to it get ready.
pub(super) async fn of(task: &Task<'_>, container: &str, wait: impl Future<Output = Done>) -> Done {
    let switches = switches(task, container);
    let untold: Vec<_> =
        switches.iter().filter(|(place, _)| task.context.prepares(place)).collect();
    let checks = join_all(untold.iter().map(|(place, change)| check(task, place, change)));
    let waited = async {
        tokio::pin!(wait);
        let both = async {
            let ready = untold.iter().map(|(place, _)| prepare(task, place));
            join(join_all(ready), &mut wait).await.1
        };
        if let Ok(done) = timeout(LONGEST, both).await {
            return done;
        }
        for place in switches.keys() {
            task.context.settle(place).await;
        }
        wait.await
    };
    join(waited, checks).await.0
}

/// The proxies whose next switch brings requests to a container, with that switch.
fn switches<'a>(task: &Task<'a>, container: &str) -> BTreeMap<&'a ProxyPlace, &'a RouteChange> {
    let comes = |op: &'a Op| match op {
        Op::Switch { place, change } => {
            let mut backends = change.set.values().filter_map(|backend| backend.to.as_ref());
            backends.any(|to| to.servers.contains_key(container)).then_some((place, change))
        }
        _ => None,
    };
    // Of several the first one, so it is put in last.
    task.context.work.plan.steps.iter().rev().filter_map(|step| comes(&step.op)).collect()
}

async fn prepare(task: &Task<'_>, place: &ProxyPlace) {
    if let Ok(proxy) = task.proxy(place) {
        // What was not prepared takes longer later.
        drop(task.call(proxy.prepare()).await);
    }
}

/// Has the file of the switch checked. It is checked then all the same, in less time if nothing has
/// changed until then.
async fn check(task: &Task<'_>, place: &ProxyPlace, change: &RouteChange) {
    let Ok(proxy) = task.proxy(place) else { return };
    let Ok(text) = task.look(|| proxy.read()).await else { return };
    if let Some(candidate) = switch::candidate(task, place, change, text.as_deref()) {
        drop(task.call(proxy.check_ahead(&candidate)).await);
    }
}
