//! Where a stack's claims on what all stacks share were written.
//!
//! The desired state is plain data without places; findings over several stacks need both.

use std::collections::BTreeMap;

use crate::compose::Project;
use crate::diag::Span;
use crate::model::{Route, ServiceName};
use crate::settings::{Extension, Route as Written};
use crate::yaml::{Map, Node};

/// The places of one stack, in the texts it was read from.
#[derive(Debug, Default)]
pub struct Places {
    services: BTreeMap<ServiceName, ServicePlaces>,
    /// Volumes and networks, by section and key.
    kept: BTreeMap<(&'static str, String), Span>,
}

#[derive(Debug)]
struct ServicePlaces {
    whole: Span,
    routes: Vec<Written>,
    ports: Vec<Span>,
    container_name: Option<Span>,
}

impl Places {
    /// The places of a project.
    pub fn of(project: &Project) -> Self {
        let services = entries(&project.root, "services")
            .map(|(name, item)| (ServiceName::new(name), ServicePlaces::of(&item.node)))
            .collect();
        let kept = ["volumes", "networks"].into_iter().flat_map(|section| {
            entries(&project.root, section)
                .map(move |(key, item)| ((section, key.to_owned()), item.key))
        });
        Self { services, kept: kept.collect() }
    }

    pub(super) fn service(&self, name: &ServiceName) -> Option<Span> {
        self.services.get(name).map(|service| service.whole)
    }

    pub(super) fn route(&self, service: &ServiceName, route: &Route) -> Option<Span> {
        let is_it = |written: &&Written| {
            let proxy = written.proxy.as_ref();
            written.host.value == route.host
                && written.path.value == route.path
                && proxy.is_none_or(|proxy| proxy.value.as_str() == route.proxy)
        };
        let service = self.services.get(service)?;
        Some(service.routes.iter().find(is_it)?.host.span)
    }

    pub(super) fn port(&self, service: &ServiceName, index: usize) -> Option<Span> {
        self.services.get(service)?.ports.get(index).copied()
    }

    pub(super) fn container_name(&self, service: &ServiceName) -> Option<Span> {
        self.services.get(service)?.container_name
    }

    pub(super) fn kept(&self, section: &'static str, key: &str) -> Option<Span> {
        self.kept.get(&(section, key.to_owned())).copied()
    }
}

impl ServicePlaces {
    fn of(service: &Node) -> Self {
        let extension = service.get("#extensions").and_then(|node| node.get("x-gitdeploy"));
        // Whatever is wrong there has been reported where the service was resolved.
        let read = |node| Extension::read(node, "", &mut Vec::new());
        Self {
            whole: service.span,
            routes: extension.map(read).unwrap_or_default().routes,
            ports: service
                .get("ports")
                .and_then(Node::as_seq)
                .map(|ports| ports.iter().map(|port| port.span).collect())
                .unwrap_or_default(),
            container_name: service.get("container_name").map(|name| name.span),
        }
    }
}

fn entries<'a>(
    root: &'a Node,
    section: &str,
) -> impl Iterator<Item = (&'a str, &'a crate::yaml::Item)> + use<'a> {
    root.get(section).and_then(Node::as_map).into_iter().flat_map(Map::iter)
}
