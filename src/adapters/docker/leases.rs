//! Leases as containers that are never started: making one is exclusive by its name.
//!
//! When one expires is kept in its restart policy, the one number of a container that can be changed
//! in one step and never matters to one that does not run. Only the engine's clock is asked, so it
//! does not matter whether those of its users agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bollard::body_full;
use bollard::models::{ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{CreateImageOptions, ListContainersOptions};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::{Docker, QUICK, within};
use super::live::{labels, text};
use super::survey::clock;
use crate::model::labels::{LEASE, LEASE_HOLDER, LEASE_PURPOSE, LEASE_SINCE, LEASE_TAKING};
use crate::model::{Millis, Name, Owner};
use crate::ports::{Held, Lease, LeaseKey, Leases, PortError, Taken};

/// The image of leases, empty.
const IMAGE: (&str, &str) = ("gitdeploy-lease", "1");

/// An archive without files: two empty blocks.
const EMPTY_ARCHIVE: [u8; 1024] = [0; 1024];

/// How long after its end a lease is left alone: a renewal that was sent in time may still come.
const SLACK: Millis = 2_000;

/// How often a name may be found taken and then free again before that is an error.
const TRIES: usize = 5;

/// As many digits of an id as people copy.
const ID_DIGITS: usize = 12;

static TAKINGS: AtomicU64 = AtomicU64::new(0);

#[async_trait]
impl Leases for Docker {
    async fn take(
        &self,
        key: &LeaseKey,
        holder: &str,
        purpose: &str,
        time: Duration,
    ) -> Result<Taken, PortError> {
        let name = lease_name(key);
        let ((), began) = futures_util::try_join!(self.bring_lease_image(), self.clock())?;
        let mut since = began;
        let count = TAKINGS.fetch_add(1, Ordering::Relaxed);
        let taking = format!("{began}-{}-{count}", std::process::id());
        for attempt in 0..TRIES {
            if attempt > 0 {
                since = self.clock().await?;
            }
            let body = json!({
                "Image": format!("{}:{}", IMAGE.0, IMAGE.1),
                "Cmd": ["never"],
                "Labels": {
                    LEASE: key_text(key), LEASE_HOLDER: holder, LEASE_PURPOSE: purpose,
                    LEASE_SINCE: since.to_string(), LEASE_TAKING: taking,
                },
                "HostConfig": {
                    "NetworkMode": "none",
                    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": end(since, time)},
                },
            });
            match self.make(&name, &body).await {
                Ok(id) => return Ok(Taken::Ours(held(&id, key))),
                // Whether it is ours is seen below.
                Err(PortError::Moved(_) | PortError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
            let Some(seen) = self.inspect_raw(&name).await? else { continue };
            let has = labels(seen.pointer("/Config/Labels"));
            let Some(lease) = read(&seen, self.clock().await?) else {
                return Err(PortError::Refused(format!(
                    "container {name} is no lease of gitdeploy; remove it by hand"
                )));
            };
            if has.get(LEASE_TAKING) == Some(&taking)
                && has.get(LEASE_HOLDER).is_some_and(|it| it == holder)
            {
                return Ok(Taken::Ours(held(&lease.id, key)));
            }
            if !lease.is_expired {
                return Ok(Taken::Theirs(lease));
            }
            // By its id: if somebody else is quicker, theirs is left alone.
            self.delete(text(&seen, "/Id"), &name).await?;
        }
        Err(PortError::Unreachable(format!("lease {name} is taken and given back all the time")))
    }

    async fn renew(&self, held: &Held, time: Duration) -> Result<(), PortError> {
        let gone = || PortError::Moved("the lease is not ours any more".to_owned());
        let now = self.clock().await?;
        let (_, lease) = self.lease(&held.id, now).await?.ok_or_else(gone)?;
        // Somebody may be taking it over at this moment.
        if lease.key != held.key || lease.until <= now {
            return Err(gone());
        }
        let policy = RestartPolicy {
            name: Some(RestartPolicyNameEnum::ON_FAILURE),
            maximum_retry_count: i64::try_from(end(now, time)).ok(),
        };
        let body =
            ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        let api = self.api().await?;
        match within(QUICK, "renew the lease", api.update_container(&held.id, body)).await {
            Ok(_) => {}
            Err(PortError::NotFound(_)) => return Err(gone()),
            Err(PortError::Refused(message)) => {
                // One that is being removed takes no change.
                let after = self.lease(&held.id, now).await?;
                return Err(after.map_or_else(gone, |_| PortError::Refused(message)));
            }
            Err(error) => return Err(error),
        }
        self.lease(&held.id, now).await?.map(drop).ok_or_else(gone)
    }

    async fn release(&self, held: &Held) -> Result<(), PortError> {
        // Ours even when it has run out: it is named by its id, and what time it is does not matter.
        match self.lease(&held.id, 0).await? {
            Some((id, lease)) if lease.key == held.key => {
                self.delete(&id, &lease_name(&held.key)).await
            }
            _ => Ok(()),
        }
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Lease>, PortError> {
        let api = self.api().await?;
        let filters = [("label".to_owned(), vec![LEASE.to_owned()])];
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters.into()),
            ..ListContainersOptions::default()
        };
        let listed = within(QUICK, "list leases", api.list_containers(Some(options))).await?;
        let seen = self.details(listed.into_iter().filter_map(|it| it.id).collect()).await?;
        let now = self.clock().await?;
        let mut leases: Vec<Lease> = seen.iter().filter_map(|seen| read(seen, now)).collect();
        leases.retain(|lease| match &lease.key {
            LeaseKey::Stack(whose, _) => whose == owner,
            LeaseKey::Proxy(_) => true,
        });
        leases.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(leases)
    }

    async fn break_up(&self, id: &str) -> Result<(), PortError> {
        let now = self.clock().await?;
        let none = || PortError::NotFound(format!("there is no lease {id}"));
        let (id, lease) = self.lease(id, now).await?.ok_or_else(none)?;
        self.delete(&id, &lease_name(&lease.key)).await
    }
}

impl Docker {
    /// The engine's clock.
    async fn clock(&self) -> Result<Millis, PortError> {
        let api = self.api().await?;
        let what = "ask the engine for the time";
        match clock(&within(QUICK, what, api.info()).await?) {
            0 => Err(PortError::Refused(format!("could not {what}: it did not say"))),
            now => Ok(now),
        }
    }

    /// The lease with an id as we give it out, and the engine's id of it.
    async fn lease(&self, id: &str, now: Millis) -> Result<Option<(String, Lease)>, PortError> {
        let is_id = id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Ok(None);
        }
        let Some(seen) = self.inspect_raw(id).await? else { return Ok(None) };
        let found = read(&seen, now).filter(|lease| lease.id == id);
        Ok(found.map(|lease| (text(&seen, "/Id").to_owned(), lease)))
    }

    async fn bring_lease_image(&self) -> Result<(), PortError> {
        let (repository, tag) = IMAGE;
        if self.local_image(&format!("{repository}:{tag}")).await?.is_some() {
            return Ok(());
        }
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            ..CreateImageOptions::default()
        };
        let api = self.api().await?;
        let archive = body_full(EMPTY_ARCHIVE.as_slice().into());
        let import = api.create_image(Some(options), Some(archive), None);
        within(QUICK, "make the image of leases", import.try_collect::<Vec<_>>()).await.map(drop)
    }
}

fn held(id: &str, key: &LeaseKey) -> Held {
    Held { id: short(id).to_owned(), key: key.clone() }
}

fn short(id: &str) -> &str {
    id.get(..ID_DIGITS).unwrap_or(id)
}

/// The end of a lease in seconds since 1970, as the engine keeps it.
fn end(now: Millis, time: Duration) -> Millis {
    let time = Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX / 4);
    now.saturating_add(time).div_ceil(1000)
}

fn lease_name(key: &LeaseKey) -> String {
    let hash = Sha256::digest(key_text(key));
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("gitdeploy-lease-{digits}")
}

fn key_text(key: &LeaseKey) -> String {
    let key = match key {
        LeaseKey::Stack(owner, stack) => json!({
            "project": owner.project, "environment": owner.environment, "stack": stack,
        }),
        LeaseKey::Proxy(proxy) => json!({ "proxy": proxy }),
    };
    key.to_string()
}

fn key_read(text: &str) -> Option<LeaseKey> {
    let key: Value = serde_json::from_str(text).ok()?;
    let name = |key: &Value, field: &str| Name::parse(key.get(field)?.as_str()?).ok();
    if let Some(proxy) = name(&key, "proxy") {
        return Some(LeaseKey::Proxy(proxy.into()));
    }
    let owner = Owner {
        project: name(&key, "project")?.into(),
        environment: name(&key, "environment")?.into(),
    };
    Some(LeaseKey::Stack(owner, name(&key, "stack")?.into()))
}

/// A lease in the engine's words; `None` when it is another container.
fn read(seen: &Value, now: Millis) -> Option<Lease> {
    let mut labels = labels(seen.pointer("/Config/Labels"));
    let until = seen.pointer("/HostConfig/RestartPolicy/MaximumRetryCount")?.as_u64()? * 1000;
    Some(Lease {
        id: short(text(seen, "/Id")).to_owned(),
        key: key_read(labels.get(LEASE)?)?,
        since: labels.get(LEASE_SINCE)?.parse().ok()?,
        holder: labels.remove(LEASE_HOLDER)?,
        purpose: labels.remove(LEASE_PURPOSE)?,
        until,
        is_expired: until.saturating_add(SLACK) <= now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn stack() -> LeaseKey {
        let owner = Owner { project: name("acme").into(), environment: name("production").into() };
        LeaseKey::Stack(owner, name("shop").into())
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        for key in [stack(), LeaseKey::Proxy(name("edge").into())] {
            assert_eq!(key_read(&key_text(&key)), Some(key));
        }
    }

    #[test]
    fn another_container_is_no_lease() {
        let seen = json!({"Id": "0123456789abcdef", "Config": {"Labels": {"a": "b"}},
            "HostConfig": {"RestartPolicy": {"MaximumRetryCount": 5}}});
        assert_eq!(read(&seen, 0), None);
    }

    #[test]
    fn a_lease_expires_a_little_after_its_end() {
        let seen = json!({
            "Id": "0123456789abcdef",
            "Config": {"Labels": {
                LEASE: key_text(&stack()), LEASE_HOLDER: "me", LEASE_PURPOSE: "x",
                LEASE_SINCE: "1000",
            }},
            "HostConfig": {"RestartPolicy": {"MaximumRetryCount": 10}},
        });
        let is_expired = |now| read(&seen, now).unwrap().is_expired;
        assert!(!is_expired(10_000));
        assert!(!is_expired(11_999));
        assert!(is_expired(12_000));
    }
}
