//! Which proxy of the inventory is driven how, and through which place.

use std::sync::Arc;

use super::{container, haproxy, local, nginx, shell};
use crate::adapters::docker::Docker;
use crate::ports::{PortError, Proxy};
use crate::settings::{self, ProxyKind, Runs};

/// The proxy of an inventory on the host of an engine. No connection is made yet.
///
/// `is_local` says that the engine is this machine's own; elsewhere a proxy's connections and
/// processes cannot be seen.
pub fn connect(
    proxy: &settings::Proxy,
    docker: &Arc<Docker>,
    is_local: bool,
) -> Result<Arc<dyn Proxy>, PortError> {
    if !is_local {
        return Err(PortError::Refused(format!(
            "the proxy `{}` can only be managed on the machine that it runs on: its engine must be \
             reached at a unix socket",
            proxy.name
        )));
    }
    let shell: Arc<dyn shell::Shell> = match &proxy.runs {
        Runs::Host => Arc::new(local::Local),
        Runs::Container(name) => {
            let docker = Arc::clone(docker);
            Arc::new(container::InContainer { docker, name: name.clone() })
        }
    };
    Ok(match proxy.kind {
        ProxyKind::Nginx => Arc::new(nginx::Nginx::new(proxy, shell)),
        ProxyKind::Haproxy => Arc::new(haproxy::Haproxy::new(proxy, shell)),
    })
}
