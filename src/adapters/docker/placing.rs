//! Files that a container gets before it starts, as tar archives.
//!
//! An archive goes to `/`, or to the volume that the files lie in: the engine refuses `/` where the
//! root file system is read-only.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::client::Docker;
use super::live::text;
use crate::model::{PlacedFile, Replica};
use crate::ports::PortError;

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
        let mut folders: BTreeMap<&str, Vec<(&PlacedFile, &[u8])>> = BTreeMap::new();
        for (file, content) in replica.files.iter().zip(files) {
            folders.entry(folder(seen, &file.target)).or_default().push((file, content));
        }
        for (folder, files) in folders {
            let archive = archive(folder, &files)
                .map_err(|error| PortError::Refused(format!("could not {what}: {error}")))?;
            self.upload(text(seen, "/Id"), Path::new(folder), archive, &what).await?;
        }
        Ok(())
    }
}

/// Where a file goes: the innermost volume that holds its path, or `/`.
fn folder<'a>(seen: &'a Value, target: &str) -> &'a str {
    let mounts = seen.pointer("/Mounts").and_then(Value::as_array).into_iter().flatten();
    mounts
        .filter(|mount| text(mount, "/Type") == "volume")
        .map(|mount| text(mount, "/Destination"))
        .filter(|folder| Path::new(target).starts_with(folder))
        .max_by_key(|folder| folder.len())
        .unwrap_or("/")
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
        let seen = serde_json::json!({"Mounts": [
            {"Type": "volume", "Destination": "/data"},
            {"Type": "volume", "Destination": "/data/conf"},
            {"Type": "bind", "Destination": "/etc"},
        ]});
        let at = |target| folder(&seen, target);
        assert_eq!(at("/data/x"), "/data");
        assert_eq!(at("/data/conf/x"), "/data/conf");
        assert_eq!(at("/database"), "/");
        assert_eq!(at("/etc/x"), "/");
    }

    #[test]
    fn an_archive_has_owners_and_rights() {
        let file = PlacedFile {
            target: "/run/secrets/key".into(),
            content: crate::model::ContentKey::Digest("x".into()),
            uid: 1000,
            gid: 1001,
            mode: 0o440,
            is_secret: true,
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
