//! One question to a replica from outside: an HTTP request, or a TCP connection that is taken.

use std::io;
use std::time::Duration;

use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::client::Way;
use super::wire::Stream;
use crate::adapters::ssh;
use crate::model::{Endpoint, Probe};
use crate::ports::Question;

/// Whether the answer is good; in words what came instead.
pub(super) async fn ask(way: &Way, question: Question<'_>) -> Result<(), String> {
    let Question { probe, at, timeout } = question;
    let answer = async {
        match probe {
            Probe::Tcp { .. } => connect(way, at).await.map(drop),
            Probe::Http(probe) => get(way, at, &probe.path).await,
        }
    };
    let time = Duration::from_nanos(timeout.0);
    match tokio::time::timeout(time, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer from {at} within {timeout}")),
    }
}

/// A connection from the host, where that can be had: what a replica is published at may be closed
/// to everybody else.
async fn connect(way: &Way, at: &Endpoint) -> Result<Box<dyn Stream>, String> {
    if let Way::Ssh(host) = way {
        let place = ssh::Place::Tcp(at.address.to_string(), at.port);
        let channel = host.open(place).await.map_err(|error| error.to_string())?;
        return Ok(Box::new(channel));
    }
    let stream = TcpStream::connect((at.address, at.port)).await;
    Ok(Box::new(stream.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("nothing listens at {at}"),
        _ => format!("{at} cannot be reached: {error}"),
    })?))
}

async fn get(way: &Way, at: &Endpoint, path: &str) -> Result<(), String> {
    let broken = |error: &dyn std::error::Error| format!("{at} did not answer in HTTP: {error}");
    let stream = TokioIo::new(connect(way, at).await?);
    let (mut sender, connection) =
        http1::handshake::<_, String>(stream).await.map_err(|error| broken(&error))?;
    let request = Request::get(path)
        .header("Host", at.to_string())
        .header("User-Agent", "gitdeploy")
        .header("Connection", "close")
        .body(String::new())
        .map_err(|error| format!("`{path}` is no path: {error}"))?;
    let exchange = async move { sender.send_request(request).await };
    // The connection is driven here, so that it ends with the answer or the deadline.
    let answer = tokio::select! {
        biased;
        answer = exchange => answer,
        Err(error) = connection => Err(error),
    };
    let status = answer.map_err(|error| broken(&error))?.status();
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(format!("{at}{path} answered {status}"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::{HttpProbe, Nanos};

    /// Answers one connection with `answer`; says nothing at all when it is empty.
    async fn server(answer: &'static str) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            drop(stream.read(&mut request).await);
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            drop(stream.write_all(answer.as_bytes()).await);
        });
        Endpoint { address: address.ip(), port: address.port() }
    }

    async fn asked(at: &Endpoint) -> Result<(), String> {
        let probe = Probe::Http(HttpProbe { path: "/health".into(), port: 80 });
        let answer =
            ask(&Way::Here, Question { probe: &probe, at, timeout: Nanos(300_000_000) }).await;
        answer.map_err(|words| words.replace(&at.to_string(), "HERE"))
    }

    #[tokio::test]
    async fn a_success_is_good() {
        let at = server("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(asked(&at).await, Ok(()));
    }

    /// As HAProxy has it, which asks the same question.
    #[tokio::test]
    async fn a_redirection_is_good() {
        let at = server("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(asked(&at).await, Ok(()));
    }

    #[tokio::test]
    async fn another_status_is_told() {
        let at = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(asked(&at).await, Err("HERE/health answered 404 Not Found".into()));
    }

    #[tokio::test]
    async fn silence_ends_at_the_deadline() {
        let at = server("").await;
        assert_eq!(asked(&at).await, Err("no answer from HERE within 300ms".into()));
    }

    #[tokio::test]
    async fn a_closed_port_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let at = Endpoint { address: address.ip(), port: address.port() };
        assert_eq!(asked(&at).await, Err("nothing listens at HERE".into()));
    }
}
