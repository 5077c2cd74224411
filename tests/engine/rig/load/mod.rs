//! Load as real clients make it, which notices every request that is lost.
//!
//! Requests come at a fixed rate whatever the answers do, over kept and over fresh connections;
//! nothing is ever sent a second time. A kept connection that the other side closed while nothing
//! was on its way is simply opened anew, as every client does.

mod clients;
mod http;
mod report;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use clients::Client;
use report::Tallies;

pub(crate) use report::{Class, Report};

/// How long clients may take to end after they were told to: the longest request and its limit.
const END_MAX: Duration = Duration::from_secs(25);

/// What to send where.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The address and port that are connected to.
    pub(crate) to: SocketAddr,
    /// The name that is asked for.
    pub(crate) host: String,
    /// Requests per second of all clients together, a quarter of them POST.
    pub(crate) rate: u32,
    /// Clients that keep their connection.
    pub(crate) kept: u32,
    /// Clients that open one for each request.
    pub(crate) fresh: u32,
    /// Requests of 2 s that are always in flight.
    pub(crate) slow: u32,
    /// Answers of 3 s in chunks, back to back.
    pub(crate) streams: u32,
    /// WebSockets with a message each 200 ms.
    pub(crate) sockets: u32,
    /// Bodies that take 3 s to send, back to back.
    pub(crate) uploads: u32,
    /// It ends by itself after this time.
    pub(crate) limit: Duration,
}

/// Load that is being sent.
pub(crate) struct Running {
    runtime: Runtime,
    clients: JoinSet<()>,
    end: watch::Sender<bool>,
    tallies: Arc<Tallies>,
}

impl Load {
    /// 400 requests/s over 40 connections, with everything that lasts beside them.
    pub(crate) fn heavy(to: SocketAddr, host: &str) -> Self {
        Self {
            rate: 400,
            kept: 24,
            fresh: 16,
            slow: 4,
            streams: 2,
            sockets: 2,
            uploads: 3,
            ..Self::light(to, host)
        }
    }

    /// One client of each kind and 40 requests/s: says whether something works at all.
    pub(crate) fn light(to: SocketAddr, host: &str) -> Self {
        let host = host.to_owned();
        let limit = Duration::from_secs(120);
        Self {
            to,
            host,
            rate: 40,
            kept: 2,
            fresh: 2,
            slow: 1,
            streams: 1,
            sockets: 1,
            uploads: 1,
            limit,
        }
    }

    pub(crate) fn start(self) -> Running {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (end, ending) = watch::channel(false);
        let tallies = Arc::new(Tallies::default());
        let mut clients = JoinSet::new();
        let load = Arc::new(self);
        let client = |index| Client::new(index, &load, &ending, &tallies);
        let on = runtime.handle();
        let short = load.kept + load.fresh;
        for index in 0..short {
            clients.spawn_on(client(index).requests(index < load.kept), on);
        }
        (0..load.slow).for_each(|index| drop(clients.spawn_on(client(index).slow(), on)));
        (0..load.streams).for_each(|index| drop(clients.spawn_on(client(index).streams(), on)));
        (0..load.sockets).for_each(|index| drop(clients.spawn_on(client(index).sockets(), on)));
        (0..load.uploads).for_each(|index| drop(clients.spawn_on(client(index).uploads(), on)));
        Running { runtime, clients, end, tallies }
    }
}

impl Running {
    /// What has come of it so far.
    pub(crate) fn so_far(&self) -> Report {
        self.tallies.report()
    }

    /// Stops sending, waits for what is in flight, and says what came of it all.
    pub(crate) fn finish(mut self) -> Report {
        self.end.send_replace(true);
        let all = async { while self.clients.join_next().await.is_some() {} };
        let ended = self.runtime.block_on(async { tokio::time::timeout(END_MAX, all).await });
        assert!(ended.is_ok(), "the load does not end:\n{}", self.tallies.report());
        self.tallies.report()
    }
}

/// One GET on a connection of its own: the status and the body.
pub(crate) fn get(to: SocketAddr, host: &str, path: &str) -> Result<(u16, String), String> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = http::Connection::open(to).await?;
        let request = http::get(host, path, false);
        let answer = connection.ask(request.as_bytes(), Duration::from_secs(10)).await?;
        Ok((answer.status, answer.body))
    })
}
