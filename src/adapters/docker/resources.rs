//! Networks and volumes: made when they are not there, removed when they are ours.

use std::collections::BTreeMap;

use bollard::models::{Network, NetworkCreateRequest, Volume, VolumeCreateRequest};
use bollard::query_parameters::{ListNetworksOptions, RemoveVolumeOptions};
use serde_json::Value;

use super::client::{Docker, QUICK, SLOW, within};
use super::live::labels;
use super::ours::guard;
use super::request;
use crate::model::Owner;
use crate::ports::{Applied, PortError};

impl Docker {
    pub(super) async fn make_network(
        &self,
        name: &str,
        body: &Value,
    ) -> Result<Applied, PortError> {
        let what = format!("create network {name}");
        let wanted = labels(body.get("Labels"));
        guard("network", name, &wanted)?;
        match self.networks_named(name).await?.as_slice() {
            [] => {}
            some => return stands(&what, name, some.iter().any(|it| is_same(&owned(it), &wanted))),
        }
        let mut body = body.clone();
        if let Some(keys) = body.as_object_mut() {
            keys.insert("Name".to_owned(), name.into());
        }
        let typed: NetworkCreateRequest = request::typed(&body, &["CheckDuplicate"], &what)?;
        let api = self.api().await?;
        let made = within(SLOW, &what, api.create_network(typed)).await?;
        // Names of networks are not unique for the engine: two makers can both succeed.
        if self.networks_named(name).await?.len() > 1 {
            within(SLOW, &what, api.remove_network(&made.id)).await?;
            return Err(PortError::Moved(format!("there is another network {name}")));
        }
        Ok(Applied::Changed)
    }

    pub(super) async fn delete_network(&self, name: &str) -> Result<Applied, PortError> {
        let what = format!("remove network {name}");
        let found = self.networks_named(name).await?;
        let Some(network) = found.first() else { return Ok(Applied::AlreadyTrue) };
        guard("network", name, &owned(network))?;
        let id = network.id.as_deref().unwrap_or(name);
        let api = self.api().await?;
        match within(SLOW, &what, api.remove_network(id)).await {
            Ok(()) => Ok(Applied::Changed),
            Err(PortError::NotFound(_)) => Ok(Applied::AlreadyTrue),
            Err(error) => Err(error),
        }
    }

    /// The engine's own filter also finds names that contain the one asked for.
    async fn networks_named(&self, name: &str) -> Result<Vec<Network>, PortError> {
        let api = self.api().await?;
        let what = format!("look for network {name}");
        let filters = [("name".to_owned(), vec![name.to_owned()])];
        let options = ListNetworksOptions { filters: Some(filters.into()) };
        let mut found = within(QUICK, &what, api.list_networks(Some(options))).await?;
        found.retain(|network| network.name.as_deref() == Some(name));
        Ok(found)
    }

    pub(super) async fn make_volume(&self, name: &str, body: &Value) -> Result<Applied, PortError> {
        let what = format!("create volume {name}");
        let wanted = labels(body.get("Labels"));
        guard("volume", name, &wanted)?;
        if let Some(volume) = self.volume(name).await? {
            return stands(&what, name, is_same(&sorted(volume.labels), &wanted));
        }
        let mut typed: VolumeCreateRequest = request::typed(body, &[], &what)?;
        typed.name = Some(name.to_owned());
        let api = self.api().await?;
        let made = within(SLOW, &what, api.create_volume(typed)).await?;
        // The engine answers the same when somebody else has made one in the meantime.
        stands(&what, name, is_same(&sorted(made.labels), &wanted)).map(|_| Applied::Changed)
    }

    pub(super) async fn delete_volume(&self, name: &str) -> Result<Applied, PortError> {
        let what = format!("remove volume {name}");
        let Some(volume) = self.volume(name).await? else { return Ok(Applied::AlreadyTrue) };
        guard("volume", name, &sorted(volume.labels))?;
        let api = self.api().await?;
        let options = RemoveVolumeOptions { force: false };
        match within(SLOW, &what, api.remove_volume(name, Some(options))).await {
            Ok(()) => Ok(Applied::Changed),
            Err(PortError::NotFound(_)) => Ok(Applied::AlreadyTrue),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn volume(&self, name: &str) -> Result<Option<Volume>, PortError> {
        let api = self.api().await?;
        let what = format!("look at volume {name}");
        match within(QUICK, &what, api.inspect_volume(name)).await {
            Ok(volume) => Ok(Some(volume)),
            Err(PortError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What it means that something of that name is there.
fn stands(what: &str, name: &str, is_ours: bool) -> Result<Applied, PortError> {
    if is_ours {
        Ok(Applied::AlreadyTrue)
    } else {
        Err(PortError::Moved(format!("could not {what}: another {name} is there")))
    }
}

/// Whether both are of one stack of one owner.
fn is_same(there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    Owner::read(there).is_some_and(|of| Some(of) == Owner::read(wanted))
}

/// The labels of a network.
pub(super) fn owned(network: &Network) -> BTreeMap<String, String> {
    sorted(network.labels.iter().flatten())
}

/// Labels in the order of their keys.
pub(super) fn sorted<K: ToString, V: ToString>(
    labels: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    labels.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
