//! HAProxy's runtime socket: one command per connection, answers that are text for people.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::adapters::proxy::shell::{Shell, within};
use crate::model::RuntimeServer;
use crate::ports::PortError;

/// The longest that an answer may take; they take less than a millisecond.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The master executes itself anew at a reload, and nobody listens for about 100 ms.
const REFUSED_LIMIT: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(50);

const NOT_THERE: &str = "No such server.";

/// The runtime socket of one HAProxy.
pub(super) struct Runtime {
    pub(super) shell: Arc<dyn Shell>,
    pub(super) path: String,
}

/// Servers by backend and name.
pub(super) type Servers = BTreeMap<String, BTreeMap<String, RuntimeServer>>;

/// A line of the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    /// `UP`, `DOWN`, `DRAIN`, `MAINT`, `no check`, and forms between.
    pub(super) status: String,
    /// How the last check ended: `L7OK`; empty when none is made.
    pub(super) check: String,
    /// Requests that it handles and that wait for it.
    pub(super) in_flight: u64,
}

impl Stat {
    /// Whether it is in use, and was seen well where it is looked at.
    pub(super) fn is_up(&self) -> bool {
        self.status == "no check" || self.status == "UP" && self.check.ends_with("OK")
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.check)
    }
}

impl Runtime {
    pub(super) async fn ask(&self, command: &str) -> Result<String, PortError> {
        let end = Instant::now() + REFUSED_LIMIT;
        let mut stream = loop {
            match self.shell.dial_socket(&self.path).await {
                Err(PortError::Unreachable(_)) if Instant::now() < end => {
                    tokio::time::sleep(PAUSE).await;
                }
                dialled => break dialled?,
            }
        };
        within(ANSWER_LIMIT, &format!("an answer of HAProxy to `{command}`"), async {
            let broken = |error: std::io::Error| {
                PortError::Unknown(format!("HAProxy did not answer `{command}`: {error}"))
            };
            stream.write_all(format!("{command}\n").as_bytes()).await.map_err(broken)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.map_err(broken)?;
            Ok(String::from_utf8_lossy(&answer).trim().to_owned())
        })
        .await
    }

    /// A command that answers with nothing when it worked.
    async fn order(&self, command: &str) -> Result<(), PortError> {
        match self.ask(command).await?.as_str() {
            "" => Ok(()),
            NOT_THERE => Err(PortError::NotFound(format!("`{command}`: {NOT_THERE}"))),
            said => Err(PortError::Refused(format!("HAProxy refused `{command}`: {said}"))),
        }
    }

    /// A variable of the process as text; `None` when it has none of that name.
    pub(super) async fn variable(&self, name: &str) -> Result<Option<String>, PortError> {
        let answer = self.ask(&format!("get var proc.{name}")).await?;
        let value = answer.split_once("value=<").and_then(|(_, rest)| rest.strip_suffix('>'));
        Ok(value.map(str::to_owned))
    }

    pub(super) async fn set_variable(&self, name: &str, value: &str) -> Result<(), PortError> {
        self.order(&format!("experimental-mode on; set var proc.{name} str({value})")).await
    }

    /// The number of the process that answers, as it sees itself.
    pub(super) async fn pid(&self) -> Result<Option<u32>, PortError> {
        let info = self.ask("show info").await?;
        Ok(info.lines().find_map(|line| line.strip_prefix("Pid: ")?.trim().parse().ok()))
    }

    pub(super) async fn servers(&self) -> Result<Servers, PortError> {
        Ok(servers(&self.ask("show servers state").await?))
    }

    pub(super) async fn stats(&self) -> Result<BTreeMap<(String, String), Stat>, PortError> {
        Ok(stats(&self.ask("show stat").await?))
    }

    /// Makes a server, whose definition begins with its name; it starts in maintenance. One of that
    /// name may be there.
    pub(super) async fn add(&self, backend: &str, definition: &str) -> Result<(), PortError> {
        match self.ask(&format!("add server {backend}/{definition}")).await? {
            said if said.contains("New server registered") => Ok(()),
            said if said.contains("Already exists") => Ok(()),
            said => Err(PortError::Refused(format!(
                "HAProxy did not add a server to `{backend}`: {said}"
            ))),
        }
    }

    /// Lets a server take requests, checked when it has a check.
    pub(super) async fn enable(&self, server: &str, has_check: bool) -> Result<(), PortError> {
        if has_check {
            self.order(&format!("enable health {server}")).await?;
        }
        self.order(&format!("set server {server} state ready")).await
    }

    /// Puts a server into `drain` or `maint`; `NotFound` when it is not there.
    pub(super) async fn set_state(&self, server: &str, state: &str) -> Result<(), PortError> {
        self.order(&format!("set server {server} state {state}")).await
    }

    /// Takes a server in maintenance out; `false` while connections hang on it.
    pub(super) async fn delete(&self, server: &str) -> Result<bool, PortError> {
        match self.ask(&format!("del server {server}")).await?.as_str() {
            said if said.contains("Server deleted") || said == NOT_THERE => Ok(true),
            said if said.contains("still has connections") => Ok(false),
            said => Err(PortError::Refused(format!("HAProxy did not remove `{server}`: {said}"))),
        }
    }
}

/// Reads `show servers state`, whose second line names the columns.
fn servers(text: &str) -> Servers {
    let mut found = Servers::new();
    let mut lines = text.lines().skip_while(|line| !line.starts_with('#'));
    let columns: Vec<&str> =
        lines.next().unwrap_or_default().trim_start_matches('#').split_whitespace().collect();
    for line in lines {
        let values: Vec<&str> = line.split_whitespace().collect();
        let value = |name: &str| {
            let at = columns.iter().position(|column| *column == name)?;
            values.get(at).copied()
        };
        let read = || {
            let address = match value("srv_addr")?.parse::<IpAddr>().ok()? {
                IpAddr::V6(ip) => format!("[{ip}]:{}", value("srv_port")?),
                IpAddr::V4(ip) => format!("{ip}:{}", value("srv_port")?),
            };
            // A bit in the administrative state is an order. That its check found it down is none: it
            // comes back by itself, and a plan must not change with each check.
            let takes_requests = value("srv_admin_state")? == "0";
            let server = RuntimeServer { address, takes_requests };
            Some((value("be_name")?.to_owned(), value("srv_name")?.to_owned(), server))
        };
        if let Some((backend, name, server)) = read() {
            found.entry(backend).or_default().insert(name, server);
        }
    }
    found
}

/// Reads the servers of `show stat`, a CSV without quoted commas in the columns we read.
fn stats(text: &str) -> BTreeMap<(String, String), Stat> {
    let mut lines = text.lines();
    let columns: Vec<&str> =
        lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let mut found = BTreeMap::new();
    for line in lines {
        let values: Vec<&str> = line.split(',').collect();
        let value = |name: &str| {
            let at = columns.iter().position(|column| *column == name)?;
            values.get(at).copied()
        };
        let number = |name: &str| value(name).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        if let (Some(backend), Some(server), Some(status)) =
            (value("pxname"), value("svname"), value("status"))
        {
            let stat = Stat {
                status: status.to_owned(),
                // A star marks a check that is under way; the word is the one before it.
                check: value("check_status").unwrap_or_default().trim_start_matches("* ").into(),
                in_flight: number("scur") + number("qcur"),
            };
            found.insert((backend.to_owned(), server.to_owned()), stat);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_with_their_state() {
        let text = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n\
            3 app 1 one 127.0.0.1 2 0 30998\n3 app 2 two ::1 2 8 30997\n3 app 3 three 10.0.0.1 0 0 1\n";
        let found = servers(text);
        let read: Vec<_> = found["app"]
            .iter()
            .map(|(name, one)| format!("{name} {} {}", one.address, one.takes_requests))
            .collect();
        assert_eq!(
            read,
            ["one 127.0.0.1:30998 true", "three 10.0.0.1:1 true", "two [::1]:30997 false"]
        );
    }

    #[test]
    fn sessions_and_queue_of_a_server_are_in_flight() {
        let text = "# pxname,svname,qcur,scur,status,check_status\napp,one,2,3,UP,L7OK\n";
        let stat = Stat { status: "UP".into(), check: "L7OK".into(), in_flight: 5 };
        assert_eq!(stats(text).get(&("app".into(), "one".into())), Some(&stat));
    }
}
