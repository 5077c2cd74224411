//! One Docker engine on one host.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::PortError;
use crate::model::{
    Drained, Endpoint, Hook, HostState, LiveContainer, Millis, Nanos, Owner, Probe, RegistryImage,
    Release, Replica, Room, StackName,
};

/// Whether a call changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It did.
    Changed,
    /// It was so already.
    AlreadyTrue,
}

/// What a survey must look at beside what is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Image references that the desired state names, with the platform.
    pub images: BTreeSet<(String, Option<String>)>,
    /// Names of networks that are somebody else's.
    pub networks: BTreeSet<String>,
    /// Names of volumes that are somebody else's.
    pub volumes: BTreeSet<String>,
}

/// A question to a replica from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// What.
    pub probe: &'a Probe,
    /// Where: an address and port that the host itself can reach.
    pub at: &'a Endpoint,
    /// The longest the answer may take.
    pub timeout: Nanos,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEnd {
    /// The exit code.
    pub code: i64,
    /// The last lines of its output.
    pub output: String,
}

/// What lets an engine into a swarm.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Where a manager listens: `10.0.0.1:2377`.
    pub at: String,
    /// A secret of the swarm.
    pub token: String,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Which lines of a container's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The last so many; all when `None`.
    pub tail: Option<usize>,
    /// Not before this moment.
    pub since: Option<Millis>,
    /// Whether to go on as new ones come.
    pub follow: bool,
    /// Whether to say when each was written.
    pub timestamps: bool,
}

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whether it was written to standard error.
    pub is_error: bool,
    /// The line, without its end.
    pub text: String,
}

/// A command that a person runs in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// `NAME=VALUE` beside the variables of the container.
    pub env: Vec<String>,
    /// Who runs it; the container's own user when `None`.
    pub user: Option<String>,
    /// Where; the container's own folder when `None`.
    pub working_dir: Option<String>,
    /// Whether it is given a terminal: one stream, with the person's keys as they are pressed.
    pub has_terminal: bool,
}

/// What comes from whoever runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Something was written to its input.
    Bytes(Vec<u8>),
    /// Nothing more will be.
    End,
    /// The terminal has another size now.
    Size {
        /// Characters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
}

/// Whoever runs a command in a container: what they write, and where its output goes.
#[async_trait]
pub trait Console: Send {
    /// The next thing typed. Giving up the wait loses nothing. After [`Typed::End`] it is not asked
    /// again.
    async fn typed(&mut self) -> Typed;

    /// Shows output; `false` when nobody reads it any more.
    fn show(&mut self, is_error: bool, bytes: &[u8]) -> bool;
}

/// Something that happened to what is ours on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stir {
    /// To which stack; `None` when that is not known.
    pub stack: Option<StackName>,
    /// What, in the engine's word: `die`, `health_status: unhealthy`.
    pub what: String,
}

/// One Docker engine on one host. Containers, networks and volumes are named by name; where an id is
/// given, another thing of that name is not touched.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Everything of this owner on the host, and what stands around it. One look, as concurrent as
    /// the engine allows. No registry is asked: an image that is not there has no id.
    async fn survey(&self, owner: &Owner, wanted: &Wanted) -> Result<HostState, PortError>;

    /// One container; `None` when there is none of that name. `Refused` when it is not ours.
    async fn inspect(&self, name: &str) -> Result<Option<LiveContainer>, PortError>;

    /// What a reference stands for in its registry, asked through this engine. `NotFound` when the
    /// registry has no such image, `Refused` when it does not take our login; anything else means
    /// that the registry did not answer.
    async fn registry_image(&self, reference: &str) -> Result<RegistryImage, PortError>;

    /// Brings an image. `digest`, when given, is what must come.
    async fn pull(
        &self,
        reference: &str,
        digest: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Applied, PortError>;

    /// Makes a network; one that is there with our labels is left as it is.
    async fn create_network(&self, name: &str, body: &Value) -> Result<Applied, PortError>;

    /// Makes a volume; one that is there with our labels is left as it is.
    async fn create_volume(&self, name: &str, body: &Value) -> Result<Applied, PortError>;

    /// Makes the container and brings its files into it, and does not start it. `files` has the
    /// content of each of `replica.files`, in their order. A container of that name with the same
    /// labels that was never started is made ready and kept; any other one is `Moved`.
    /// The image must be the one the plan chose, or nothing is made and it is `Moved`.
    async fn create(&self, replica: &Replica, files: &[Vec<u8>]) -> Result<Applied, PortError>;

    /// Starts a container.
    async fn start(&self, name: &str) -> Result<Applied, PortError>;

    /// Runs a command in a running container and waits for its end.
    async fn run_hook(&self, name: &str, hook: &Hook) -> Result<HookEnd, PortError>;

    /// Runs a command for a person until it ends, however long that takes; gives its exit code.
    async fn exec(
        &self,
        name: &str,
        command: &Command,
        console: &mut dyn Console,
    ) -> Result<i64, PortError> {
        let (_, _) = (command, console);
        Err(PortError::Refused(format!("could not run a command in {name}: it is simulated")))
    }

    /// Asks one question from the host. `Err` says in words what came instead of a good answer.
    async fn ask(&self, question: Question<'_>) -> Result<(), String>;

    /// Asks the container to end with its own signal, and kills it after `grace`. Returns when it
    /// does not run any more; not there is `AlreadyTrue`.
    async fn stop(
        &self,
        name: &str,
        id: Option<&str>,
        grace: Duration,
    ) -> Result<Applied, PortError>;

    /// Removes a container that does not run, with its anonymous volumes; not there is
    /// `AlreadyTrue`, running is `Refused`.
    async fn remove(&self, name: &str, id: Option<&str>) -> Result<Applied, PortError>;

    /// Removes a network of ours; not there is `AlreadyTrue`.
    async fn remove_network(&self, name: &str) -> Result<Applied, PortError>;

    /// Removes a volume of ours with its data; not there is `AlreadyTrue`.
    async fn remove_volume(&self, name: &str) -> Result<Applied, PortError>;

    /// Remembers a stack's release; none when it has no commits.
    async fn record(
        &self,
        owner: &Owner,
        stack: &StackName,
        release: &Release,
    ) -> Result<Applied, PortError>;

    /// Room on the engine's disk; `None` where only the engine itself can be asked, which does not
    /// tell it.
    async fn room(&self) -> Result<Option<Room>, PortError> {
        Ok(None)
    }

    /// Says on the host that replicas shall leave it and none come; `None` gives it back.
    async fn mark_drained(&self, mark: Option<&Drained>) -> Result<Applied, PortError> {
        let _ = mark;
        Err(PortError::Refused("this engine cannot be drained".to_owned()))
    }

    /// Makes the engine the first node of a swarm, which others reach at `address`.
    async fn init_swarm(&self, address: IpAddr) -> Result<Applied, PortError> {
        Err(no_swarm(address))
    }

    /// What another engine must show to be let into this one's swarm.
    async fn invitation(&self, as_manager: bool) -> Result<Invitation, PortError> {
        Err(no_swarm(as_manager))
    }

    /// Makes the engine a node of the swarm it is invited to, which others reach at `address`.
    async fn join_swarm(
        &self,
        invitation: &Invitation,
        address: IpAddr,
    ) -> Result<Applied, PortError> {
        Err(no_swarm((invitation, address)))
    }

    /// Hands out lines of a container's output, one call of `line` each, until there are no more
    /// or `line` says `false`.
    async fn logs(
        &self,
        name: &str,
        options: &LogOptions,
        line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError>;

    /// Hands out what happens to this owner's containers from now on, one call of `told` each, until
    /// the connection ends or `told` says `false`. An engine that tells nothing by itself stays
    /// silent for ever.
    async fn events(
        &self,
        owner: &Owner,
        told: &mut (dyn FnMut(Stir) -> bool + Send),
    ) -> Result<(), PortError> {
        let _ = (owner, told);
        std::future::pending().await
    }
}

/// What an engine says that has no swarms, whatever it was asked.
fn no_swarm<T>(_asked: T) -> PortError {
    PortError::Refused("this engine knows no swarms".to_owned())
}
