//! What happens inside a container: commands, files, signals. Also for containers that are not
//! ours, because a proxy's container is its owner's: whoever calls this knows what for.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bollard::body_full;
use bollard::container::LogOutput;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    DownloadFromContainerOptions, KillContainerOptions, UploadToContainerOptions,
};
use futures_util::TryStreamExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::client::{Docker, QUICK, SLOW, late, within};
use super::fault::{port_error, status};
use crate::ports::{Command, Console, PortError, Typed};

/// For a command of ours in a container.
const EXEC: Duration = Duration::from_secs(60);

/// How often the end of a command is asked for after its output has ended.
const EXEC_POLL: Duration = Duration::from_millis(50);

/// How a command ends that writes where nobody reads: 128 and the number of SIGPIPE.
const BROKEN_PIPE: i64 = 141;

/// Output beyond this is thrown away: 16 MiB of each stream.
const OUTPUT_MAX: usize = 16 << 20;

/// A file beyond this is not read: 64 MiB.
const FILE_MAX: usize = 64 << 20;

/// Symbolic links that are followed for one file.
const LINKS_MAX: usize = 8;

/// How a command in a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executed {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub code: i64,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// What was found at a path.
enum Found {
    File(Vec<u8>),
    Link(PathBuf),
}

impl Docker {
    /// Runs a command in a running container, gives it `stdin` and waits for its end, at most a
    /// minute.
    pub async fn exec(
        &self,
        container: &str,
        argv: &[&str],
        stdin: Option<&[u8]>,
    ) -> Result<Executed, PortError> {
        let config = ExecConfig {
            attach_stdin: Some(stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.iter().map(|&word| word.to_owned()).collect()),
            ..ExecConfig::default()
        };
        self.execute(container, config, stdin, EXEC).await
    }

    /// Runs what `config` says and waits for its end, at most `time`.
    pub(in crate::adapters) async fn execute(
        &self,
        container: &str,
        config: ExecConfig,
        stdin: Option<&[u8]>,
        time: Duration,
    ) -> Result<Executed, PortError> {
        let api = self.api().await?;
        let what = format!("run a command in container {container}");
        let made = within(QUICK, &what, api.create_exec(container, config)).await?;
        let begun = within(QUICK, &what, api.start_exec(&made.id, None)).await?;
        let StartExecResults::Attached { mut output, mut input } = begun else {
            return Err(PortError::Unknown(format!("could not {what}: it was detached")));
        };
        let feed = async {
            // A command may end without having read everything.
            if let Some(bytes) = stdin
                && input.write_all(bytes).await.is_ok()
            {
                drop(input.shutdown().await);
            }
            Ok(())
        };
        let collect = async {
            let mut end = Executed::default();
            while let Some(piece) = output.try_next().await? {
                end.add(&piece);
            }
            Ok::<_, bollard::errors::Error>(end)
        };
        let (end, ()) =
            within(time, &what, async { futures_util::try_join!(collect, feed) }).await?;
        let code = self.exit_code(&made.id, &what).await?;
        Ok(Executed { code, ..end })
    }

    /// Runs a command for as long as it takes, with what a person types and for them to see.
    pub(super) async fn run_for_person(
        &self,
        container: &str,
        name: &str,
        command: &Command,
        console: &mut dyn Console,
    ) -> Result<i64, PortError> {
        let api = self.api().await?;
        let what = format!("run a command in container {name}");
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(command.has_terminal),
            cmd: Some(command.words.clone()),
            env: Some(command.env.clone()),
            user: command.user.clone(),
            working_dir: command.working_dir.clone(),
            ..ExecConfig::default()
        };
        let made = within(QUICK, &what, api.create_exec(container, config)).await?;
        let options = StartExecOptions { tty: command.has_terminal, ..StartExecOptions::default() };
        let begun = within(QUICK, &what, api.start_exec(&made.id, Some(options))).await?;
        let StartExecResults::Attached { mut output, mut input } = begun else {
            return Err(PortError::Unknown(format!("could not {what}: it was detached")));
        };
        let mut is_read = true;
        loop {
            tokio::select! {
                biased;
                piece = output.try_next() => match piece {
                    Ok(Some(piece)) => {
                        let is_error = matches!(piece, LogOutput::StdErr { .. });
                        if !console.show(is_error, &piece.into_bytes()) {
                            // Its output has no reader: it learns that as from a closed pipe.
                            return Ok(BROKEN_PIPE);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return Err(port_error(&what, &error)),
                },
                typed = console.typed(), if is_read => match typed {
                    Typed::Bytes(bytes) => is_read = input.write_all(&bytes).await.is_ok(),
                    Typed::End => {
                        // A command may have ended without having read everything.
                        drop(input.shutdown().await);
                        is_read = false;
                    }
                    Typed::Size { columns, rows } => {
                        let size = ResizeExecOptions { width: columns, height: rows };
                        // A size that is not taken makes lines break elsewhere, no more.
                        drop(within(QUICK, &what, api.resize_exec(&made.id, size)).await);
                    }
                },
            }
        }
        self.exit_code(&made.id, &what).await
    }

    /// The end of a command whose output has ended: the engine may learn of it a moment later.
    async fn exit_code(&self, exec: &str, what: &str) -> Result<i64, PortError> {
        let api = self.api().await?;
        let asked = async {
            loop {
                let seen = within(QUICK, what, api.inspect_exec(exec)).await?;
                match (seen.running, seen.exit_code) {
                    (Some(false), Some(code)) => return Ok(code),
                    _ => tokio::time::sleep(EXEC_POLL).await,
                }
            }
        };
        tokio::time::timeout(QUICK, asked).await.unwrap_or_else(|_| Err(late(QUICK, what)))
    }

    /// Any container in the engine's words, ours or not; `None` when there is none of that name.
    pub async fn inspect_raw(&self, name: &str) -> Result<Option<Value>, PortError> {
        let api = self.api().await?;
        let what = format!("look at container {name}");
        match within(QUICK, &what, api.inspect_container(name, None)).await {
            Ok(seen) => serde_json::to_value(seen)
                .map(Some)
                .map_err(|error| PortError::Unknown(format!("could not {what}: {error}"))),
            Err(PortError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file in a container, whether it runs or not; `None` when there is none at that path.
    pub async fn read_file(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        let mut path = PathBuf::from(path);
        for _ in 0..LINKS_MAX {
            match self.archived(container, &path).await? {
                None => return Ok(None),
                Some(Found::File(bytes)) => return Ok(Some(bytes)),
                Some(Found::Link(target)) => path = joined(&path, &target),
            }
        }
        let path = path.display();
        Err(PortError::Refused(format!("could not read {path}: too many symbolic links")))
    }

    async fn archived(&self, container: &str, path: &Path) -> Result<Option<Found>, PortError> {
        let api = self.api().await?;
        let what = format!("read {} in container {container}", path.display());
        let options = DownloadFromContainerOptions { path: path.display().to_string() };
        let mut pieces = Box::pin(api.download_from_container(container, Some(options)));
        let collect = async {
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.try_next().await? {
                bytes.extend_from_slice(&piece);
                if bytes.len() > FILE_MAX {
                    break;
                }
            }
            Ok(bytes)
        };
        match tokio::time::timeout(SLOW, collect).await {
            Err(_) => Err(late(SLOW, &what)),
            Ok(Ok(bytes)) if bytes.len() > FILE_MAX => {
                Err(PortError::Refused(format!("could not {what}: it is larger than 64 MiB")))
            }
            Ok(Ok(bytes)) => first_entry(&bytes)
                .map(Some)
                .map_err(|error| PortError::Refused(format!("could not {what}: {error}"))),
            Ok(Err(error)) if status(&error) == Some(404) => {
                match self.inspect_raw(container).await? {
                    Some(_) => Ok(None),
                    None => Err(port_error(&what, &error)),
                }
            }
            Ok(Err(error)) => Err(port_error(&what, &error)),
        }
    }

    /// Puts a file into a container, whether it runs or not, as root's. Its folder must be there.
    /// Not atomic: whoever reads at the same time may see a part of it.
    pub async fn write_file(
        &self,
        container: &str,
        path: &str,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), PortError> {
        let what = format!("write {path} in container {container}");
        let refused = |why: &str| PortError::Refused(format!("could not {what}: {why}"));
        let target = Path::new(path);
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(refused("the path names no file"));
        };
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive
            .append_data(&mut header, name, bytes)
            .map_err(|error| refused(&error.to_string()))?;
        let archive = archive.into_inner().map_err(|error| refused(&error.to_string()))?;
        self.upload(container, folder, archive, &what).await
    }

    /// Unpacks a tar archive in a folder of a container.
    pub(super) async fn upload(
        &self,
        container: &str,
        folder: &Path,
        archive: Vec<u8>,
        what: &str,
    ) -> Result<(), PortError> {
        let api = self.api().await?;
        let options = UploadToContainerOptions {
            path: folder.display().to_string(),
            ..UploadToContainerOptions::default()
        };
        let body = body_full(archive.into());
        within(SLOW, what, api.upload_to_container(container, Some(options), body)).await
    }

    /// Sends a signal to a container's first process: `SIGHUP`, `USR2`.
    pub async fn kill(&self, container: &str, signal: &str) -> Result<(), PortError> {
        let api = self.api().await?;
        let what = format!("send {signal} to container {container}");
        let options = KillContainerOptions { signal: signal.to_owned() };
        within(QUICK, &what, api.kill_container(container, Some(options))).await
    }
}

impl Executed {
    fn add(&mut self, piece: &LogOutput) {
        let (stream, bytes) = match piece {
            LogOutput::StdErr { message } => (&mut self.stderr, message),
            LogOutput::StdOut { message }
            | LogOutput::Console { message }
            | LogOutput::StdIn { message } => (&mut self.stdout, message),
        };
        let room = OUTPUT_MAX.saturating_sub(stream.len());
        stream.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

fn first_entry(archive: &[u8]) -> std::io::Result<Found> {
    use std::io::Read as _;
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive
        .entries()?
        .next()
        .ok_or_else(|| std::io::Error::other("the engine sent an empty archive"))??;
    if entry.header().entry_type().is_symlink() {
        let target = entry.link_name()?.unwrap_or_default().into_owned();
        return Ok(Found::Link(target));
    }
    if !entry.header().entry_type().is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(Found::File(bytes))
}

/// The path that a link at `path` leads to.
fn joined(path: &Path, target: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut whole = PathBuf::from("/");
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::Normal(name) => whole.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_from_its_own_folder() {
        let cases = [
            ("/etc/nginx/a.conf", "b.conf", "/etc/nginx/b.conf"),
            ("/etc/nginx/a.conf", "../b.conf", "/etc/b.conf"),
            ("/etc/nginx/a.conf", "/b.conf", "/b.conf"),
            ("/a", "../../b", "/b"),
        ];
        for (path, target, whole) in cases {
            assert_eq!(joined(Path::new(path), Path::new(target)), Path::new(whole));
        }
    }
}
