//! A client's side of a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::http::Connection;

const ANSWER_MAX: Duration = Duration::from_secs(10);
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const NORMAL: u16 = 1000;
/// Any will do against misunderstandings; this is no protection.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) struct WebSocket {
    connection: Connection,
}

/// What the other side said.
pub(super) enum Heard {
    Text(String),
    /// It closes, properly.
    Goodbye,
}

impl WebSocket {
    pub(super) async fn open(to: SocketAddr, host: &str) -> Result<Self, String> {
        let mut connection = Connection::open(to).await?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        connection.send(request.as_bytes()).await?;
        let head = timeout(ANSWER_MAX, connection.head()).await;
        let head = head.map_err(|_| "no WebSocket within 10 s".to_owned())??;
        if head.status != 101 {
            return Err(format!("no WebSocket: status {}", head.status));
        }
        Ok(Self { connection })
    }

    /// Says something and waits for its echo.
    pub(super) async fn echo(&mut self, text: &str) -> Result<Heard, String> {
        self.send(TEXT, text.as_bytes()).await?;
        let heard = timeout(ANSWER_MAX, self.hear()).await;
        match heard.map_err(|_| "no echo within 10 s".to_owned())?? {
            Heard::Text(echo) if echo != text => Err(format!("said {text:?}, heard {echo:?}")),
            heard => Ok(heard),
        }
    }

    /// Waits until there is something to hear. Cancel-safe.
    pub(super) async fn input(&mut self) -> Result<(), String> {
        self.connection.input().await
    }

    pub(super) async fn hear(&mut self) -> Result<Heard, String> {
        let head = self.connection.exactly(2).await?;
        let length = match head[1] {
            126 => {
                let bytes = self.connection.exactly(2).await?;
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            short => usize::from(short & 0x7f),
        };
        let payload = self.connection.exactly(length).await?;
        if head[0] & 0x0f == CLOSE {
            // Its sender may be gone already, and that is all right.
            drop(self.send(CLOSE, &payload).await);
            return Ok(Heard::Goodbye);
        }
        Ok(Heard::Text(String::from_utf8_lossy(&payload).into_owned()))
    }

    /// Says goodbye and waits for the other side to say so too.
    pub(super) async fn close(&mut self) -> Result<(), String> {
        self.send(CLOSE, &NORMAL.to_be_bytes()).await?;
        let goodbye = async {
            while let Heard::Text(_) = self.hear().await? {}
            Ok::<(), String>(())
        };
        timeout(ANSWER_MAX, goodbye).await.map_err(|_| "no goodbye within 10 s".to_owned())?
    }

    /// Messages are short: a length of one byte will do.
    async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<(), String> {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
        let length = length.expect("messages of this load are short");
        let mut frame = vec![0x80 | kind, 0x80 | length];
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.connection.send(&frame).await
    }
}
