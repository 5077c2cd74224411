//! Connections to hosts over TCP.

use std::io;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::TcpStream;

/// How long the kernel goes on sending what nobody acknowledges. A call to a host that cannot be
/// reached any more must not come through when the lease it was made under has run out, and that
/// was proved less than 2 s before it and lasts 30 s.
const UNDELIVERED: Duration = Duration::from_secs(20);

/// Prepares a connection: small messages go at once, and old ones never.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let time = u32::try_from(UNDELIVERED.as_millis()).unwrap_or(u32::MAX);
    Ok(set_tcp_user_timeout(stream, time)?)
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::tcp_user_timeout;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn what_nobody_acknowledges_is_given_up_before_a_lease_runs_out() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        super::prepare(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(tcp_user_timeout(&stream).unwrap(), 20_000);
    }
}
