//! The last release of each stack, kept on its hosts: an empty volume whose label says it.
//!
//! A label never changes, so a new release is a new volume; the older ones go when it is there.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::ListVolumesOptions;
use serde::{Deserialize, Serialize};

use super::client::{Docker, QUICK, SLOW, within};
use super::resources::sorted;
use crate::model::labels::RELEASE;
use crate::model::{CommitId, Generation, Owner, ProxyPlace, Release, StackName};
use crate::ports::{Applied, PortError};

#[derive(Serialize, Deserialize)]
struct Record {
    generation: Generation,
    commits: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    proxies: BTreeSet<ProxyPlace>,
}

impl Docker {
    pub(super) async fn remember(
        &self,
        owner: &Owner,
        stack: &StackName,
        release: &Release,
    ) -> Result<Applied, PortError> {
        let name = volume_name(owner, stack, release.generation);
        let mut others = self.records(owner, stack).await?;
        let is_wanted = !release.commits.is_empty();
        let is_there = others.get(&name).is_some_and(|seen| seen == release);
        if is_wanted && is_there {
            others.remove(&name);
        }
        if is_wanted && !is_there {
            // One of that name that says something else must go first: its label cannot change.
            if others.remove(&name).is_some() {
                self.delete_volume(&name).await?;
            }
            self.make_record(&name, owner, stack, release).await?;
        }
        let is_same = is_wanted == is_there && others.is_empty();
        for other in others.keys() {
            self.delete_volume(other).await?;
        }
        Ok(if is_same { Applied::AlreadyTrue } else { Applied::Changed })
    }

    async fn make_record(
        &self,
        name: &str,
        owner: &Owner,
        stack: &StackName,
        release: &Release,
    ) -> Result<(), PortError> {
        let what = format!("record the release of stack {stack}");
        let mut labels = owner.labels(stack);
        labels.insert(RELEASE.to_owned(), written(release));
        let body = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some("local".to_owned()),
            labels: Some(labels.into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let api = self.api().await?;
        let made = within(SLOW, &what, api.create_volume(body)).await?;
        match read(&made) {
            Some((_, _, seen)) if seen == *release => Ok(()),
            _ => Err(PortError::Moved(format!("could not {what}: another volume {name} is there"))),
        }
    }

    /// The records of a stack, by the names of their volumes.
    async fn records(
        &self,
        owner: &Owner,
        stack: &StackName,
    ) -> Result<BTreeMap<String, Release>, PortError> {
        let api = self.api().await?;
        let what = format!("look for releases of stack {stack}");
        let filters = [("label".to_owned(), vec![RELEASE.to_owned()])];
        let options = ListVolumesOptions { filters: Some(filters.into()) };
        let found = within(QUICK, &what, api.list_volumes(Some(options))).await?;
        let found = found.volumes.unwrap_or_default();
        let of_stack = found.iter().filter_map(|volume| {
            let (whose, which, release) = read(volume)?;
            (whose == *owner && which == *stack).then(|| (volume.name.clone(), release))
        });
        Ok(of_stack.collect())
    }
}

/// What a volume remembers; `None` when it is no record of ours.
pub(super) fn read(volume: &Volume) -> Option<(Owner, StackName, Release)> {
    let labels = sorted(&volume.labels);
    let (owner, stack) = Owner::read(&labels)?;
    let record: Record = serde_json::from_str(labels.get(RELEASE)?).ok()?;
    let commits = record.commits.iter().map(CommitId::new).collect();
    let Record { generation, commits: _, proxies } = record;
    Some((owner, stack, Release { generation, commits, proxies }))
}

fn written(release: &Release) -> String {
    let commits = release.commits.iter().take(Release::KEPT);
    let commits = commits.map(|commit| commit.as_str().to_owned()).collect();
    let proxies = release.proxies.clone();
    let record = Record { generation: release.generation, commits, proxies };
    serde_json::to_string(&record).expect("numbers and texts always have a form in JSON")
}

fn volume_name(owner: &Owner, stack: &StackName, generation: Generation) -> String {
    format!("{}-{}-{stack}-release-{generation}", owner.project, owner.environment)
}
