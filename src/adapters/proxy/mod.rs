//! nginx and HAProxy behind `ports::Proxy`, each as a service of the host and as a container.

mod bind;
mod front;
mod haproxy;
mod kernel;
mod local;
mod nginx;
mod shell;

use std::sync::Arc;

use crate::model::{Backend, Endpoint, RoutingTable};
use crate::ports::{PortError, Proxy};
use crate::settings::{self, ProxyKind, Runs};

fn table(_text: &str) -> Option<RoutingTable> {
    None
}

fn runtime_server(_backend: &Backend, endpoint: &Endpoint) -> String {
    endpoint.to_string()
}

/// The proxy of an inventory on one host. No connection is made yet.
pub fn connect_local(
    proxy: &settings::Proxy,
) -> Result<Arc<dyn Proxy>, PortError> {
    let shell: Arc<dyn shell::Shell> = match &proxy.runs {
        Runs::Host => Arc::new(local::Local),
        Runs::Container(_) => return Err(PortError::Refused("".into())),
    };
    Ok(match proxy.kind {
        ProxyKind::Nginx => Arc::new(nginx::Nginx::new(proxy, shell)),
        ProxyKind::Haproxy => Arc::new(haproxy::Haproxy::new(proxy, shell)),
    })
}
