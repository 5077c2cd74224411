//! Which proxy of the inventory is driven how, and through which place.

use std::sync::Arc;

use super::local::Local;
use super::remote::Remote;
use super::shell::{Machine, Shell};
use super::{container, haproxy, nginx};
use crate::adapters::docker::{Docker, Way};
use crate::ports::{PortError, Proxy};
use crate::settings::{self, ProxyKind, Runs};

/// The proxy of an inventory on the host of an engine. No connection is made yet.
///
/// A machine that shows no more than its engine's API cannot have one: a proxy's connections and
/// processes must be seen.
pub fn connect(proxy: &settings::Proxy, docker: &Arc<Docker>) -> Result<Arc<dyn Proxy>, PortError> {
    let (host, machine): (Arc<dyn Shell>, Arc<dyn Machine>) = match docker.way() {
        Way::Here => (Arc::new(Local), Arc::new(Local)),
        Way::Ssh(host) => (Arc::new(Remote(Arc::clone(host))), Arc::new(Remote(Arc::clone(host)))),
        Way::Far => {
            return Err(PortError::Refused(format!(
                "the proxy `{}` cannot be managed through the engine's API alone: its host must be \
                 this machine (`unix://`) or be reached over SSH (`ssh://`)",
                proxy.name
            )));
        }
    };
    let shell = match &proxy.runs {
        Runs::Host => host,
        Runs::Container(name) => {
            let docker = Arc::clone(docker);
            Arc::new(container::InContainer { docker, machine, name: name.clone() })
        }
    };
    Ok(match proxy.kind {
        ProxyKind::Nginx => Arc::new(nginx::Nginx::new(proxy, shell)),
        ProxyKind::Haproxy => Arc::new(haproxy::Haproxy::new(proxy, shell)),
    })
}
