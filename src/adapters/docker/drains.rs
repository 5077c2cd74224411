//! Whether a host is to be empty, kept on the host itself: an empty volume whose label says by whom.
//!
//! It has no owner: a host is drained for everybody who deploys to it. A label never changes, so
//! another word is another volume of the same name.

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::client::{Docker, QUICK, SLOW, within};
use crate::model::Drained;
use crate::model::labels::DRAINED;
use crate::ports::{Applied, PortError};

/// The volume's name: one for each host.
const NAME: &str = "gitdeploy-drained";

impl Docker {
    pub(super) async fn put_drain(&self, mark: Option<&Drained>) -> Result<Applied, PortError> {
        let before = self.drain().await?;
        if before.as_ref() == mark {
            return Ok(Applied::AlreadyTrue);
        }
        if before.is_some() {
            self.remove_drain().await?;
        }
        let Some(mark) = mark else { return Ok(Applied::Changed) };
        let word = serde_json::to_string(mark).expect("plain data can be written as JSON");
        let body = VolumeCreateRequest {
            name: Some(NAME.to_owned()),
            driver: Some("local".to_owned()),
            labels: Some([(DRAINED.to_owned(), word)].into()),
            ..VolumeCreateRequest::default()
        };
        let api = self.api().await?;
        let made = within(SLOW, "drain the host", api.create_volume(body)).await?;
        match read(&made) {
            Some(seen) if seen == *mark => Ok(Applied::Changed),
            _ => Err(PortError::Moved(format!(
                "could not drain the host: there is another volume {NAME}"
            ))),
        }
    }

    /// Removes the mark, which was read just now.
    async fn remove_drain(&self) -> Result<(), PortError> {
        let api = self.api().await?;
        let options = RemoveVolumeOptions { force: false };
        match within(SLOW, "give the host back", api.remove_volume(NAME, Some(options))).await {
            Ok(()) | Err(PortError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn drain(&self) -> Result<Option<Drained>, PortError> {
        let api = self.api().await?;
        let filters = [("label".to_owned(), vec![DRAINED.to_owned()])];
        let options = ListVolumesOptions { filters: Some(filters.into()) };
        let found =
            within(QUICK, "look whether the host is drained", api.list_volumes(Some(options)));
        Ok(found.await?.volumes.iter().flatten().find_map(read))
    }
}

/// What a volume says; `None` when it is no mark of ours.
pub(super) fn read(volume: &Volume) -> Option<Drained> {
    let word = volume.labels.get(DRAINED).filter(|_| volume.name == NAME)?;
    serde_json::from_str(word).ok()
}
