//! A container as a place for a proxy. It is its owner's: only the one
//! managed file in it is ever written.
//!
//! Commands run in it as root, whatever user the image names, because the file belongs to whoever
//! may configure the proxy. Connections and processes are seen from outside, from its machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::ExecConfig;
use serde_json::Value;

use super::kernel::{self, Connection, Process, Socket};
use super::shell::{Machine, Ran, Shell, Stream, Surroundings, words};
use crate::adapters::docker::Docker;
use crate::ports::PortError;

/// Longer paths than this are no addresses of sockets.
const SOCKET_PATH_MAX: usize = 107;

/// A container of an engine, on a machine that can be looked at.
pub(super) struct InContainer {
    pub(super) docker: Arc<Docker>,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) name: String,
}

impl InContainer {
    /// The container in the engine's words.
    async fn inspect(&self) -> Result<Value, PortError> {
        self.docker
            .inspect_raw(&self.name)
            .await?
            .ok_or_else(|| PortError::NotFound(format!("there is no container `{}`", self.name)))
    }

    /// The number of its first process on its machine.
    async fn first(&self) -> Result<u32, PortError> {
        pid(&self.inspect().await?).ok_or_else(|| {
            PortError::Unreachable(format!("the container `{}` does not run", self.name))
        })
    }
}

#[async_trait]
impl Shell for InContainer {
    async fn read(&self, path: &str) -> Result<Option<String>, PortError> {
        let bytes = self.docker.read_file(&self.name, path).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn replace(&self, path: &str, text: &str) -> Result<(), PortError> {
        let beside = match path.rsplit_once('/') {
            Some((folder, name)) => format!("{folder}/.{name}.next"),
            None => return Err(PortError::Refused(format!("`{path}` is no path of a file"))),
        };
        // The engine's own copying is not atomic: a proxy could read half a file.
        self.docker.write_file(&self.name, &beside, text.as_bytes(), 0o644).await?;
        let argv = words(&["mv", "-f", &beside, path]);
        self.run(&argv, super::shell::COMMAND_LIMIT).await?.ok(&argv).map(drop)
    }

    async fn draft(&self, path: &str, text: &str) -> Result<(), PortError> {
        self.docker.write_file(&self.name, path, text.as_bytes(), 0o644).await
    }

    async fn remove(&self, path: &str) -> Result<(), PortError> {
        let argv = words(&["rm", "-f", path]);
        self.run(&argv, super::shell::COMMAND_LIMIT).await?.ok(&argv).map(drop)
    }

    async fn run(&self, argv: &[String], limit: Duration) -> Result<Ran, PortError> {
        // `kill` is a part of the shell in many images, and no program.
        if let [kill, signal, first] = argv
            && (kill.as_str(), first.as_str()) == ("kill", "1")
        {
            let signal = signal.trim_start_matches('-');
            return self.docker.kill(&self.name, signal).await.map(|()| Ran::default());
        }
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: Some("0".to_owned()),
            cmd: Some(argv.to_vec()),
            ..ExecConfig::default()
        };
        let ended = self.docker.execute(&self.name, config, None, limit).await?;
        Ok(Ran {
            code: ended.code,
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }

    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        let ip = match (address.ip(), network(&self.inspect().await?)) {
            (ip, Some(network)) if ip.is_unspecified() => network.own,
            (ip, None) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            (ip, Some(_)) if ip.is_loopback() => {
                return Err(PortError::Unreachable(format!(
                    "`{}` listens on {address} in its container, where nobody else gets",
                    self.name
                )));
            }
            (ip, _) => ip,
        };
        self.machine.dial(SocketAddr::new(ip, address.port())).await
    }

    /// A socket in a container is a file like any other: seen through a mounted folder, or, as
    /// root, through the container's first process.
    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError> {
        let inspected = self.inspect().await?;
        let pid = pid(&inspected).ok_or_else(|| {
            PortError::Unreachable(format!("the container `{}` does not run", self.name))
        })?;
        let mut error = None;
        for path in mounted(&inspected, path).into_iter().chain([format!("/proc/{pid}/root{path}")])
        {
            if path.len() > SOCKET_PATH_MAX {
                continue;
            }
            match self.machine.dial_socket(&path).await {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = Some(failed),
            }
        }
        Err(error.unwrap_or_else(|| PortError::Refused(format!("`{path}` is too long a path"))))
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        Ok(kernel::below(self.machine.processes().await?, self.first().await?))
    }

    async fn listening(&self) -> Result<Vec<Socket>, PortError> {
        self.machine.listening(Some(self.first().await?)).await
    }

    async fn connected(&self) -> Result<Option<Vec<Connection>>, PortError> {
        self.machine.connected(Some(self.first().await?)).await
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        self.machine.sockets_of(pid).await
    }

    async fn surroundings(&self, path: &str) -> Result<Surroundings, PortError> {
        let inspected = self.inspect().await?;
        let mut obstacles: Vec<String> = obstacle(&inspected, path).into_iter().collect();
        let is_running = pid(&inspected).is_some();
        if !is_running {
            obstacles.push(format!("the container `{}` does not run", self.name));
        }
        let replicas_at = replicas_at(&inspected);
        if replicas_at.is_none() {
            let name = &self.name;
            obstacles
                .push(format!("the container `{name}` is in no network with a way to its host"));
        }
        Ok(Surroundings { replicas_at, obstacles, is_running })
    }
}

/// How a container and its host reach each other.
#[derive(Debug, PartialEq, Eq)]
struct Network {
    own: IpAddr,
    gateway: IpAddr,
}

/// The address of the host as a container reaches what is published there.
fn replicas_at(inspected: &Value) -> Option<IpAddr> {
    match inspected["HostConfig"]["NetworkMode"].as_str() {
        Some("host") => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => network(inspected).map(|network| network.gateway),
    }
}

/// The first network by name that has a gateway, so that the answer is the same each time.
fn network(inspected: &Value) -> Option<Network> {
    let networks = inspected["NetworkSettings"]["Networks"].as_object()?;
    let mut names: Vec<&String> = networks.keys().collect();
    names.sort();
    let ip = |name: &str, key: &str| networks.get(name)?[key].as_str()?.parse().ok();
    let told = names.into_iter().find_map(|name| {
        Some(Network { own: ip(name, "IPAddress")?, gateway: ip(name, "Gateway")? })
    });
    told.or_else(|| {
        // Engines may leave it out for the network that they make themselves.
        let own = ip("bridge", "IPAddress")?;
        let prefix = networks["bridge"]["IPPrefixLen"].as_u64()?;
        Some(Network { own, gateway: first_of_subnet(own, prefix)? })
    })
}

/// The address that an engine gives itself in a network of its own.
fn first_of_subnet(ip: IpAddr, prefix: u64) -> Option<IpAddr> {
    let IpAddr::V4(ip) = ip else { return None };
    let host_bits = 32_u32.checked_sub(u32::try_from(prefix).ok()?)?;
    let subnet = u32::MAX.checked_shl(host_bits).unwrap_or(0) & ip.to_bits();
    Some(IpAddr::V4(Ipv4Addr::from_bits(subnet | 1)))
}

fn pid(inspected: &Value) -> Option<u32> {
    let pid = inspected["State"]["Pid"].as_u64()?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// The paths on the host of a path in the container, the deepest mount first.
fn mounted(inspected: &Value, path: &str) -> Option<String> {
    let (mount, rest) = mount_of(inspected, path)?;
    Some(format!("{}{rest}", mount["Source"].as_str()?))
}

/// The deepest mount that a path lies in, and the path below it.
fn mount_of<'a>(inspected: &'a Value, path: &'a str) -> Option<(&'a Value, &'a str)> {
    let mounts = inspected["Mounts"].as_array()?.iter();
    let inside = mounts.filter_map(|mount| {
        let rest = path.strip_prefix(mount["Destination"].as_str()?.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some((mount, rest))
    });
    inside.min_by_key(|(_, rest)| rest.len())
}

/// Why a file of the container cannot be replaced; `None` when it can.
fn obstacle(inspected: &Value, path: &str) -> Option<String> {
    let is_sealed = inspected["HostConfig"]["ReadonlyRootfs"].as_bool() == Some(true);
    match mount_of(inspected, path) {
        Some((_, "")) => Some(format!(
            "`{path}` is mounted as a single file, so the container would keep the old one; mount \
             its folder"
        )),
        Some((mount, _)) if mount["RW"].as_bool() == Some(false) => {
            Some(format!("the folder of `{path}` is mounted read-only"))
        }
        None if is_sealed => {
            Some(format!("`{path}` lies in a read-only container; mount its folder"))
        }
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PATH: &str = "/etc/nginx/conf.d/ours.conf";

    fn with_mount(destination: &str, is_writable: bool) -> Value {
        json!({"Mounts": [{"Source": "/srv/x", "Destination": destination, "RW": is_writable}]})
    }

    #[test]
    fn a_file_that_is_mounted_alone_stands_in_the_way() {
        let said = obstacle(&with_mount(PATH, true), PATH).expect("an obstacle");
        assert!(said.contains("single file"), "{said}");
    }

    #[test]
    fn a_mounted_folder_stands_in_the_way_only_when_read_only() {
        assert_eq!(obstacle(&with_mount("/etc/nginx", true), PATH), None);
        assert!(obstacle(&with_mount("/etc/nginx", false), PATH).is_some());
        assert_eq!(obstacle(&with_mount("/etc/ngi", false), PATH), None);
    }

    #[test]
    fn a_read_only_container_stands_in_the_way_without_a_mount() {
        let sealed = json!({"HostConfig": {"ReadonlyRootfs": true}});
        assert!(obstacle(&sealed, PATH).is_some());
    }

    #[test]
    fn a_path_in_a_mounted_folder_is_known_on_the_host() {
        let inspected = with_mount("/run/haproxy/", true);
        let found = mounted(&inspected, "/run/haproxy/admin.sock");
        assert_eq!(found.as_deref(), Some("/srv/x/admin.sock"));
        assert_eq!(mounted(&inspected, "/run/admin.sock"), None);
    }

    #[test]
    fn the_first_network_with_a_gateway_is_the_way_to_the_host() {
        let inspected = json!({"NetworkSettings": {"Networks": {
            "b": {"IPAddress": "10.0.1.2", "Gateway": "10.0.1.1"},
            "a": {"IPAddress": "10.0.0.2", "Gateway": ""},
        }}});
        let ip = |text: &str| text.parse().expect("an address");
        let expected = Network { own: ip("10.0.1.2"), gateway: ip("10.0.1.1") };
        assert_eq!(network(&inspected), Some(expected));
    }

    #[test]
    fn the_default_network_without_a_gateway_has_its_first_address() {
        let bridge = json!({"IPAddress": "172.17.3.2", "IPPrefixLen": 16, "Gateway": ""});
        let inspected = json!({"NetworkSettings": {"Networks": {"bridge": bridge}}});
        assert_eq!(replicas_at(&inspected), "172.17.0.1".parse().ok());
        let other = json!({"NetworkSettings": {"Networks": {"macvlan": bridge}}});
        assert_eq!(replicas_at(&other), None);
    }

    #[test]
    fn a_container_in_the_network_of_the_host_reaches_replicas_as_the_host_does() {
        let inspected = json!({
            "HostConfig": {"NetworkMode": "host"},
            "NetworkSettings": {"Networks": {"host": {"IPAddress": "", "Gateway": ""}}},
        });
        assert_eq!(replicas_at(&inspected), "127.0.0.1".parse().ok());
    }
}
