//! Files that a container gets before it starts, as tar archives.
//!
//! An archive goes to `/`, or to the volume that the files lie in: the engine refuses `/` where the
//! root file system is read-only. Into a volume that the container may only read they go through a
//! second container, never started, that has the same volume to write.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Docker;
use super::live::text;
use crate::model::{Identity, PlacedFile, Replica};
use crate::ports::PortError;

/// Where an archive goes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    folder: &'a str,
    /// The volume, when its container may only read it.
    read_only: Option<&'a str>,
}

impl Docker {
    /// Brings a replica's files into its container.
    pub(super) async fn place_files(
        &self,
        replica: &Replica,
        seen: &Value,
        files: &[Vec<u8>],
    ) -> Result<(), PortError> {
        let what = format!("bring files into container {}", replica.name);
        if files.len() != replica.files.len() {
            return Err(PortError::Refused(format!("could not {what}: some have no content")));
        }
        let mut places: BTreeMap<Place<'_>, Vec<(&PlacedFile, &[u8])>> = BTreeMap::new();
        for (file, content) in replica.files.iter().zip(files) {
            places.entry(place(seen, &file.target)).or_default().push((file, content));
        }
        for (place, files) in places {
            let archive = archive(place.folder, &files)
                .map_err(|error| PortError::Refused(format!("could not {what}: {error}")))?;
            let folder = Path::new(place.folder);
            match place.read_only {
                None => self.upload(text(seen, "/Id"), folder, archive, &what).await?,
                Some(volume) => {
                    let second = self.second(replica, seen, place.folder, volume).await?;
                    let sent = self.upload(&second, folder, archive, &what).await;
                    self.delete(&second, &second_name(replica)).await?;
                    sent?;
                }
            }
        }
        Ok(())
    }

    /// A container that is never started and may write a volume that the replica may only read. Its
    /// slot is 0, so one that is left over is found and removed.
    async fn second(
        &self,
        replica: &Replica,
        seen: &Value,
        folder: &str,
        volume: &str,
    ) -> Result<String, PortError> {
        let name = second_name(replica);
        let identity = Identity { slot: 0, ..replica.identity.clone() };
        let body = json!({
            "Image": text(seen, "/Image"),
            // An image without a command makes no container.
            "Cmd": ["never"],
            "Labels": identity.labels(),
            "HostConfig": {
                "NetworkMode": "none",
                "Mounts": [{"Type": "volume", "Source": volume, "Target": folder}],
            },
        });
        match self.make(&name, &body).await {
            Err(PortError::Moved(_)) => {
                self.remove_container(&name, None).await?;
                self.make(&name, &body).await
            }
            made => made,
        }
    }
}

fn second_name(replica: &Replica) -> String {
    format!("{}-files", replica.name)
}

/// Where a file goes: the innermost volume that holds its path, or `/`.
fn place<'a>(seen: &'a Value, target: &str) -> Place<'a> {
    let mounts = seen.pointer("/Mounts").and_then(Value::as_array).into_iter().flatten();
    let inside = |mount: &&Value| Path::new(target).starts_with(text(mount, "/Destination"));
    let innermost = mounts
        .filter(|mount| text(mount, "/Type") == "volume")
        .filter(inside)
        .max_by_key(|mount| text(mount, "/Destination").len());
    match innermost {
        None => Place { folder: "/", read_only: None },
        Some(mount) => Place {
            folder: text(mount, "/Destination"),
            read_only: (mount.get("RW") == Some(&Value::Bool(false)))
                .then(|| text(mount, "/Name")),
        },
    }
}

/// The files with paths below `folder`. Folders on the way are left to the engine: an entry for one
/// that is there would change its rights.
fn archive(folder: &str, files: &[(&PlacedFile, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (file, content) in files {
        let below = Path::new(&file.target)
            .strip_prefix(folder)
            .map_err(|_| std::io::Error::other(format!("{} is no full path", file.target)))?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        header.set_mode(file.mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, below, *content)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_to_the_innermost_volume_around_it() {
        let seen = json!({"Mounts": [
            {"Type": "volume", "Name": "a", "Destination": "/data", "RW": true},
            {"Type": "volume", "Name": "b", "Destination": "/data/conf", "RW": false},
            {"Type": "bind", "Destination": "/etc"},
        ]});
        let at = |target| place(&seen, target);
        assert_eq!(at("/data/x"), Place { folder: "/data", read_only: None });
        assert_eq!(at("/data/conf/x"), Place { folder: "/data/conf", read_only: Some("b") });
        assert_eq!(at("/database"), Place { folder: "/", read_only: None });
        assert_eq!(at("/etc/x"), Place { folder: "/", read_only: None });
    }

    #[test]
    fn an_archive_has_owners_and_rights() {
        let file = PlacedFile {
            target: "/run/secrets/key".into(),
            content: crate::model::ContentKey::Digest("x".into()),
            uid: 1000,
            gid: 1001,
            mode: 0o440,
        };
        let bytes = archive("/", &[(&file, b"secret")]).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!(entry.path().unwrap(), Path::new("run/secrets/key"));
        assert_eq!(header.uid().unwrap(), 1000);
        assert_eq!(header.gid().unwrap(), 1001);
        assert_eq!(header.mode().unwrap(), 0o440);
    }
}
