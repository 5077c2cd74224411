//! The life of a container: made, started, stopped, removed. Each call looks first, does the rest
//! by id, and looks again where an answer can be lost.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StopContainerOptions,
};
use serde_json::Value;

use super::attaching::at_creation;
use super::client::{Docker, QUICK, SLOW, late, within};
use super::live::{labels, status, text, was_started};
use super::request;
use crate::model::{Replica, Status};
use crate::ports::{Applied, PortError};

/// Between two looks at something that is about to end.
const POLL: Duration = Duration::from_millis(25);

/// How long after its grace a container may take to be gone: the engine kills it and cleans up.
const AFTER_GRACE: Duration = Duration::from_secs(30);

impl Docker {
    pub(super) async fn create_replica(
        &self,
        replica: &Replica,
        files: &[Vec<u8>],
    ) -> Result<Applied, PortError> {
        let image = self.chosen_image(replica).await?;
        let (id, applied) = match self.make(&replica.name, &replica.body).await {
            Ok(id) => (id, Applied::Changed),
            Err(PortError::Moved(_)) => {
                (self.made_before(replica, &image).await?, Applied::AlreadyTrue)
            }
            Err(error) => return Err(error),
        };
        let Some(seen) = self.ours(&replica.name, Some(&id)).await? else {
            return Err(PortError::Moved(format!("container {} has gone again", replica.name)));
        };
        // A tag can move between the look at it and its use.
        if text(&seen, "/Image") != image {
            self.delete(&id, &replica.name).await?;
            return Err(moved_image(replica));
        }
        self.connect_the_rest(&replica.name, &seen, &replica.body).await?;
        self.place_files(replica, &seen, files).await?;
        Ok(applied)
    }

    /// Makes a container and says its id; `Moved` when the name is taken.
    pub(super) async fn make(&self, name: &str, body: &Value) -> Result<String, PortError> {
        let what = format!("create container {name}");
        let platform = text(body, "/Platform").to_owned();
        let body = at_creation(body);
        let body: ContainerCreateBody = request::typed(&body, &["Platform"], &what)?;
        let options = CreateContainerOptions { name: Some(name.to_owned()), platform };
        let api = self.api().await?;
        let made = tokio::time::timeout(SLOW, api.create_container(Some(options), body)).await;
        match made {
            Err(_) => Err(late(SLOW, &what)),
            Ok(Ok(made)) => Ok(made.id),
            Ok(Err(error)) if super::fault::status(&error) == Some(409) => {
                Err(PortError::Moved(format!("there is another container {name}")))
            }
            Ok(Err(error)) => Err(super::fault::port_error(&what, &error)),
        }
    }

    /// The id of the container that an earlier try made, if it is that one.
    async fn made_before(&self, replica: &Replica, image: &str) -> Result<String, PortError> {
        let name = &replica.name;
        let other = || PortError::Moved(format!("there is another container {name}"));
        let seen = self.inspect_raw(name).await?.ok_or_else(other)?;
        let has = labels(seen.pointer("/Config/Labels"));
        let wanted = labels(replica.body.pointer("/Labels"));
        let is_same = wanted.iter().all(|(key, value)| has.get(key) == Some(value));
        if is_same && !was_started(&seen) && text(&seen, "/Image") == image {
            Ok(text(&seen, "/Id").to_owned())
        } else {
            Err(other())
        }
    }

    /// The id of the image that the plan chose, if the engine has it under its name.
    async fn chosen_image(&self, replica: &Replica) -> Result<String, PortError> {
        let reference = text(&replica.body, "/Image");
        let what = format!("look at image {reference}");
        let api = self.api().await?;
        let seen = within(QUICK, &what, api.inspect_image(reference)).await?;
        let id = seen.id.unwrap_or_default();
        let is_it = match (&replica.image, &replica.digest) {
            (Some(image), _) => *image == id,
            (None, Some(digest)) => {
                let digests = seen.repo_digests.unwrap_or_default();
                digests.iter().any(|has| has.ends_with(&format!("@{digest}")))
            }
            (None, None) => true,
        };
        if is_it { Ok(id) } else { Err(moved_image(replica)) }
    }

    pub(super) async fn start_container(&self, name: &str) -> Result<Applied, PortError> {
        let seen = self.ours_present(name).await?;
        if status(&seen) == Status::Running {
            return Ok(Applied::AlreadyTrue);
        }
        let id = text(&seen, "/Id");
        let what = format!("start container {name}");
        let api = self.api().await?;
        match within(SLOW, &what, api.start_container(id, None)).await {
            Ok(()) => Ok(Applied::Changed),
            Err(PortError::Unknown(message)) => match self.ours(name, Some(id)).await? {
                Some(seen) if was_started(&seen) => Ok(Applied::Changed),
                _ => Err(PortError::Unknown(message)),
            },
            // It was free when the plan was made.
            Err(PortError::Refused(message)) if is_port_taken(&message) => {
                Err(PortError::Moved(message))
            }
            // Nothing has been started.
            Err(PortError::Refused(message)) if is_swarm_late(&message) => {
                Err(PortError::Unreachable(message))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn stop_container(
        &self,
        name: &str,
        id: Option<&str>,
        grace: Duration,
    ) -> Result<Applied, PortError> {
        let Some(seen) = self.ours(name, id).await? else { return Ok(Applied::AlreadyTrue) };
        if !has_process(&seen) {
            return Ok(Applied::AlreadyTrue);
        }
        let id = text(&seen, "/Id").to_owned();
        let what = format!("stop container {name}");
        let api = self.api().await?;
        if status(&seen) == Status::Paused {
            // A frozen process hears no signal.
            within(QUICK, &what, api.unpause_container(&id)).await?;
        }
        let seconds = i32::try_from(grace.as_secs_f64().ceil() as i64).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        let time = grace.saturating_add(AFTER_GRACE);
        let asked = within(time, &what, api.stop_container(&id, Some(options))).await;
        match asked {
            // The engine goes on with it by itself.
            Ok(()) | Err(PortError::Unknown(_)) => {}
            Err(PortError::NotFound(_)) => return Ok(Applied::Changed),
            Err(error) => return Err(error),
        }
        let ended = self.until(name, &id, time, |seen| !has_process(seen)).await;
        match (ended, asked) {
            (Ok(()), _) => Ok(Applied::Changed),
            (Err(_), Err(error)) => Err(error),
            (Err(error), Ok(())) => Err(error),
        }
    }

    pub(super) async fn remove_container(
        &self,
        name: &str,
        id: Option<&str>,
    ) -> Result<Applied, PortError> {
        let Some(seen) = self.ours(name, id).await? else { return Ok(Applied::AlreadyTrue) };
        if has_process(&seen) {
            return Err(PortError::Refused(format!(
                "container {name} still runs, so it was not removed"
            )));
        }
        self.delete(text(&seen, "/Id"), name).await?;
        Ok(Applied::Changed)
    }

    /// Removes a container that does not run, with its anonymous volumes, and waits until it is
    /// gone.
    pub(super) async fn delete(&self, id: &str, name: &str) -> Result<(), PortError> {
        let what = format!("remove container {name}");
        let options = RemoveContainerOptions { v: true, force: false, link: false };
        let api = self.api().await?;
        let asked = within(SLOW, &what, api.remove_container(id, Some(options))).await;
        match asked {
            Ok(()) | Err(PortError::NotFound(_)) => return Ok(()),
            Err(PortError::Unreachable(_)) => return asked,
            // Refused also when somebody else is at it already.
            Err(PortError::Unknown(_) | PortError::Refused(_) | PortError::Moved(_)) => {}
        }
        let begun = self.inspect_raw(id).await?;
        match begun {
            None => Ok(()),
            Some(seen) if status(&seen) == Status::Removing => {
                self.until(name, id, AFTER_GRACE, |_| false).await
            }
            Some(_) => asked,
        }
    }

    /// Waits until a container is gone or as `is_so` says.
    async fn until(
        &self,
        name: &str,
        id: &str,
        time: Duration,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<(), PortError> {
        let look = async {
            loop {
                match self.inspect_raw(id).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(seen)) if is_so(&seen) => return Ok(()),
                    Ok(Some(_)) => {}
                    Err(error) if error.is_worth_repeating() => {}
                    Err(error) => return Err(error),
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let what = format!("see the end of container {name}");
        tokio::time::timeout(time, look).await.unwrap_or_else(|_| Err(late(time, &what)))
    }
}

/// Whether something of it may still run, or begin to by itself.
fn has_process(seen: &Value) -> bool {
    match status(seen) {
        Status::Running | Status::Paused | Status::Restarting => true,
        Status::Created | Status::Removing | Status::Exited | Status::Dead => false,
    }
}

fn moved_image(replica: &Replica) -> PortError {
    PortError::Moved(format!(
        "image {} is not the one that the plan chose",
        text(&replica.body, "/Image")
    ))
}

/// Whether an engine says that it cannot publish a port.
fn is_port_taken(message: &str) -> bool {
    ["port is already allocated", "address already in use"].iter().any(|it| message.contains(it))
}

/// Whether an engine says that its swarm's manager did not attach a container to an overlay within
/// the 20 s that the engine gives it, as happens on a busy host. A moment later it does.
fn is_swarm_late(message: &str) -> bool {
    message.contains("attaching to network failed") && message.contains("context deadline exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swarm_that_is_late_is_asked_again_and_no_other_refusal() {
        let late = "could not start container web: attaching to network failed, make sure your \
                    network options are correct and check manager logs: context deadline exceeded";
        assert!(is_swarm_late(late));
        let other = "could not start container web: attaching to network failed, make sure your \
                     network options are correct and check manager logs: rpc error: code = NotFound";
        assert!(!is_swarm_late(other));
        assert!(!is_swarm_late("could not start container web: context deadline exceeded"));
    }
}
