//! This machine as a place for a proxy: a service of the host itself.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpStream, UnixStream};

use super::kernel::{self, Connection, Process, Socket};
use super::shell::{
    COMMAND_LIMIT, DIAL_LIMIT, Machine, Ran, Shell, Stream, Surroundings, within, words,
};
use crate::ports::PortError;

/// This machine.
#[derive(Debug, Default)]
pub(super) struct Local;

#[async_trait]
impl Shell for Local {
    async fn read(&self, path: &str) -> Result<Option<String>, PortError> {
        match tokio::fs::read(path).await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused("read", path, &error)),
        }
    }

    async fn replace(&self, path: &str, text: &str) -> Result<(), PortError> {
        let (target, text) = (PathBuf::from(path), text.to_owned());
        let done = tokio::task::spawn_blocking(move || put(&target, &text)).await;
        done.expect("writing a file does not panic").map_err(|error| refused("write", path, &error))
    }

    async fn draft(&self, path: &str, text: &str) -> Result<(), PortError> {
        tokio::fs::write(path, text).await.map_err(|error| refused("write", path, &error))
    }

    async fn remove(&self, path: &str) -> Result<(), PortError> {
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(refused("remove", path, &error))
            }
            _ => Ok(()),
        }
    }

    async fn run(&self, argv: &[String], limit: Duration) -> Result<Ran, PortError> {
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| PortError::Refused("the proxy's command is empty".into()))?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        within(limit, &format!("`{}`", argv.join(" ")), async {
            let output = command.output().await.map_err(|error| {
                PortError::Refused(format!("`{program}` could not be started: {error}"))
            })?;
            Ok(Ran {
                code: output.status.code().map_or(-1, i64::from),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            })
        })
        .await
    }

    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        dial(reachable(address)).await
    }

    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError> {
        dial_socket(path).await
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        // What runs in containers has another number there; it is not the host's.
        let all = aside(processes).await;
        Ok(all.into_iter().filter(|process| process.number == process.pid).collect())
    }

    async fn listening(&self) -> Result<Vec<Socket>, PortError> {
        Ok(aside(|| listening("self")).await)
    }

    async fn connected(&self) -> Result<Option<Vec<Connection>>, PortError> {
        Ok(aside(|| connected("self")).await)
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        Ok(sockets_of(pid))
    }

    async fn surroundings(&self, path: &str) -> Result<Surroundings, PortError> {
        let replicas_at = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let folder = folder(Path::new(path)).display().to_string();
        let argv = words(&["test", "-w", &folder]);
        let obstacles = match self.run(&argv, COMMAND_LIMIT).await?.code {
            0 => Vec::new(),
            _ => vec![format!("the folder `{folder}` is not there, or not ours to write in")],
        };
        Ok(Surroundings { replicas_at, obstacles, is_running: true })
    }
}

#[async_trait]
impl Machine for Local {
    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        dial(address).await
    }

    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError> {
        dial_socket(path).await
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        Ok(aside(processes).await)
    }

    async fn listening(&self, of: Option<u32>) -> Result<Vec<Socket>, PortError> {
        let of = of.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        Ok(aside(move || listening(&of)).await)
    }

    async fn connected(&self, of: Option<u32>) -> Result<Option<Vec<Connection>>, PortError> {
        let of = of.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        Ok(aside(move || connected(&of)).await)
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        Ok(sockets_of(pid))
    }
}

/// The kernel takes milliseconds for its tables, in which others go on.
async fn aside<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(look).await.expect("looking does not panic")
}

fn refused(what: &str, path: &str, error: &std::io::Error) -> PortError {
    PortError::Refused(format!("could not {what} `{path}`: {error}"))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Writes beside the file under a name that no usual `include` takes, and renames. The mode and
/// owner of a file that was there are kept.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.next"));
    let mut file = std::fs::File::create(&beside)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    if let Ok(before) = std::fs::metadata(path) {
        file.set_permissions(std::fs::Permissions::from_mode(before.mode() & 0o7777))?;
        // Somebody who may write here but is not root keeps the file as their own.
        drop(fchown(&file, Some(before.uid()), Some(before.gid())));
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // A crash of the machine after this must not bring the old name back.
    std::fs::File::open(folder(path))?.sync_all()
}

/// The address to dial for an address that is listened on.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn dial(address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
    let what = format!("a connection to {address}");
    let stream = within(DIAL_LIMIT, &what, async {
        TcpStream::connect(address).await.map_err(|error| {
            PortError::Unreachable(format!("{address} takes no connections: {error}"))
        })
    });
    Ok(Box::new(stream.await?))
}

async fn dial_socket(path: &str) -> Result<Box<dyn Stream>, PortError> {
    let what = format!("a connection to `{path}`");
    let stream = within(DIAL_LIMIT, &what, async {
        UnixStream::connect(path).await.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => refused("open", path, &error),
            _ => PortError::Unreachable(format!("`{path}` takes no connections: {error}")),
        })
    });
    Ok(Box::new(stream.await?))
}

/// Every process that this one can see.
fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        kernel::process(
            pid,
            &text(&format!("/proc/{pid}/status"))?,
            &std::fs::read(format!("/proc/{pid}/cmdline")).ok()?,
        )
    })
    .collect()
}

/// Every listening socket in the network of a process.
fn listening(pid: &str) -> Vec<Socket> {
    let tables = ["tcp", "tcp6"].map(|table| text(&format!("/proc/{pid}/net/{table}")));
    tables.iter().flatten().flat_map(|table| kernel::listening(table)).collect()
}

/// The connections of the network that a process is in; `None` when that must not be seen.
fn connected(pid: &str) -> Option<Vec<Connection>> {
    let mut found = kernel::connected(&text(&format!("/proc/{pid}/net/tcp"))?);
    // A kernel without IPv6 has no such table.
    let more = text(&format!("/proc/{pid}/net/tcp6")).unwrap_or_default();
    found.extend(kernel::connected(&more));
    Some(found)
}

/// The sockets among a process's open files.
fn sockets_of(pid: u32) -> Option<Vec<u64>> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let inode =
        |link: PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    Some(links.filter_map(inode).collect())
}

fn text(path: &str) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
