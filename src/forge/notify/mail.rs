//! A letter by mail.
//!
//! `smtps://` is TLS from the first byte. `smtp://` is encrypted by STARTTLS: always when there is a
//! login, which must not be sent in the clear, otherwise where the server can.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::Undelivered;
use super::letter::Letter;

/// Who writes to whom by which server.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// `server` is `smtp://host[:port]` or `smtps://host[:port]`.
    pub fn new(
        server: &str,
        login: Option<(String, String)>,
        from: &str,
        to: &[String],
    ) -> Result<Self, String> {
        let (is_wrapped, rest) =
            match (server.strip_prefix("smtps://"), server.strip_prefix("smtp://")) {
                (Some(rest), _) => (true, rest),
                (None, Some(rest)) => (false, rest),
                (None, None) => return Err("its server is not smtp://… or smtps://…".to_owned()),
            };
        let (host, port) = address(rest).ok_or("its server is not written HOST[:PORT]")?;
        let parameters = TlsParameters::new(host.to_owned()).map_err(|error| error.to_string())?;
        let (tls, usual) = match (is_wrapped, login.is_some()) {
            (true, _) => (Tls::Wrapper(parameters), 465),
            (false, true) => (Tls::Required(parameters), 587),
            (false, false) => (Tls::Opportunistic(parameters), 25),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port.unwrap_or(usual))
            .tls(tls)
            .timeout(Some(Duration::from_secs(10)));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        let mailbox = |text: &str| {
            text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no address: {error}"))
        };
        let to: Vec<Mailbox> = to.iter().map(|it| mailbox(it)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err("it names nobody to write to".to_owned());
        }
        Ok(Self { transport: builder.build(), from: mailbox(from)?, to })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(format!("gitdeploy: {}", letter.title))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let mut text = format!("{}.\n", letter.title);
        if !letter.text.is_empty() {
            text = format!("{text}\n{}\n", letter.text);
        }
        if let Some(commit) = &letter.commit {
            text = format!("{text}\nCommit: {commit}\n");
        }
        let message = builder
            .body(text)
            .map_err(|error| Undelivered::ForGood(format!("it cannot be written: {error}")))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => {
                Err(Undelivered::ForGood(crate::diag::words(&error)))
            }
            Err(error) => Err(Undelivered::ForNow(crate::diag::words(&error))),
        }
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn address(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        Some(_) | None => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    (!host.is_empty() && host.chars().all(is_host)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        assert_eq!(address("mail.example.com"), Some(("mail.example.com", None)));
        assert_eq!(address("mail.example.com:2525/"), Some(("mail.example.com", Some(2525))));
        assert_eq!(address("[::1]:25"), Some(("::1", Some(25))));
        assert_eq!(address("[::1]"), Some(("::1", None)));
        for bad in ["", ":25", "a:port", "user@host", "a b"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_sent() {
        let to = ["ops@example.com".to_owned()];
        assert!(Mail::new("mail.example.com", None, "a@example.com", &to).is_err());
        assert!(Mail::new("smtp://mail.example.com", None, "nobody", &to).is_err());
        assert!(Mail::new("smtp://mail.example.com", None, "a@example.com", &[]).is_err());
        assert!(Mail::new("smtp://mail.example.com", None, "a@example.com", &to).is_ok());
    }
}
