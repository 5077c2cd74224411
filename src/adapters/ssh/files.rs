//! Files of a host: read whole, replaced in one step, removed.
//!
//! Done with the few programs that every host has. A file is written beside its place, in full and
//! to the disk, before it takes the place; text that did not arrive whole never does.

use super::host::Host;
use super::lane::Ended;
use crate::ports::PortError;

/// The kernel's word is read below, so it must be said in one language.
const READ: &str = "LC_ALL=C; export LC_ALL; exec cat -- \"$1\"";

/// `$1` the file, `$2` the name beside it, `$3` how many bytes come. A connection that breaks ends
/// the input early, so the number is what tells a whole text from half of one. Owner before mode:
/// whoever gives a file away loses its special bits.
const REPLACE: &str = "umask 022; test ! -d \"$1\" || { echo it is a folder >&2; exit 1; }; \
    trap 'rm -f -- \"$2\"' EXIT; cat >\"$2\" && test $(wc -c <\"$2\") -eq \"$3\" && \
    if test -e \"$1\"; then chown $(stat -c %u:%g -- \"$1\") \"$2\" 2>/dev/null; \
    chmod $(stat -c %a -- \"$1\") \"$2\"; fi && sync \"$2\" && mv -f -- \"$2\" \"$1\" && \
    sync \"${1%/*}/\"";

const REMOVE: &str = "exec rm -f -- \"$1\"";

/// The end of what `cat` says of a file that is not there.
const ABSENT: &str = "No such file or directory";

impl Host {
    /// A file's content; `None` when there is none.
    pub(in crate::adapters) async fn read_file(
        &self,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        let ended = self.ask(READ, &[path]).await?;
        match ended.code {
            0 => Ok(Some(ended.stdout)),
            _ if ended.words().contains(ABSENT) => Ok(None),
            _ => Err(self.refused("read", path, &ended)),
        }
    }

    /// Replaces a file: who opens the path finds the old content or the new. The mode and, where
    /// that is allowed, the owner of a file that was there are kept.
    pub(in crate::adapters) async fn replace_file(
        &self,
        path: &str,
        content: &[u8],
    ) -> Result<(), PortError> {
        let (folder, name) = path
            .rsplit_once('/')
            .ok_or_else(|| PortError::Refused(format!("`{path}` is no path of a file")))?;
        let (beside, size) = (format!("{folder}/.{name}.next"), content.len().to_string());
        let words = [path, &beside, &size];
        let ended = self.run(REPLACE, &words, content, super::host::QUESTION).await?;
        self.done("write", path, &ended)
    }

    /// Removes a file; one that is not there is fine.
    pub(in crate::adapters) async fn remove_file(&self, path: &str) -> Result<(), PortError> {
        let ended = self.ask(REMOVE, &[path]).await?;
        self.done("remove", path, &ended)
    }

    fn done(&self, what: &str, path: &str, ended: &Ended) -> Result<(), PortError> {
        match ended.code {
            0 => Ok(()),
            _ => Err(self.refused(what, path, ended)),
        }
    }

    fn refused(&self, what: &str, path: &str, ended: &Ended) -> PortError {
        PortError::Refused(format!("could not {what} `{path}` on {self}: {}", ended.words()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output, Stdio};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the scripts are for a real shell")]
    fn sh(script: &str, words: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        // A script that refuses its arguments ends before it reads.
        drop(child.stdin.take().expect("a pipe").write_all(input));
        child.wait_with_output().expect("an end")
    }

    fn replace(file: &Path, content: &str, size: usize) -> bool {
        let file = file.to_str().expect("text");
        let beside = format!("{file}.next");
        let ended = sh(REPLACE, &[file, &beside, &size.to_string()], content.as_bytes());
        assert!(!Path::new(&beside).exists());
        ended.status.success()
    }

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it's a $file");
        assert!(replace(&file, "one\n", 4));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        assert!(replace(&file, "", 0));
        assert_eq!(fs::read(&file).expect("a file"), b"");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn half_a_text_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        assert!(replace(&file, "whole", 5));
        assert!(!replace(&file, "hal", 4));
        assert_eq!(fs::read(&file).expect("a file"), b"whole");
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!replace(folder.path(), "text", 4));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_file_that_is_not_there_is_told_from_one_that_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |path: &Path| {
            let output = sh(READ, &[path.to_str().expect("text")], b"");
            assert!(!output.status.success());
            String::from_utf8(output.stderr).expect("text").contains(ABSENT)
        };
        assert!(said(&folder.path().join("none")));
        assert!(said(&folder.path().join("no/folder")));
        assert!(!said(folder.path()));
    }
}
