//! A letter as a request over HTTP.
//!
//! The address is the owner's and may be a secret, so no error repeats it. It is not left for
//! another: redirects are failures, and a name that leads to a link-local address, where clouds
//! keep the keys of a machine, is refused. Who means such an address writes it as a number.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;

use super::Undelivered;
use super::body::{plain, slack, templated};
use super::letter::Letter;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The letter's fields as JSON.
    Plain,
    /// What Slack and those like it read.
    Slack,
    /// What this template makes of it.
    Template(String),
}

/// Where letters are posted, and how.
pub struct Post {
    client: reqwest::Client,
    url: reqwest::Url,
    body: Body,
}

impl Post {
    /// Posts to an address. The error says what is wrong with it, without repeating it.
    pub fn new(url: &str, body: Body) -> Result<Self, String> {
        let url =
            reqwest::Url::parse(url.trim()).map_err(|_| "its address is no URL".to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err("its address is not an https:// or http:// URL".to_owned());
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("gitdeploy/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .dns_resolver(Arc::new(Careful))
            .build()
            .map_err(cause)?;
        Ok(Self { client, url, body })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let written = match &self.body {
            Body::Plain => plain(letter),
            Body::Slack => slack(letter),
            Body::Template(template) => {
                templated(letter, template).map_err(Undelivered::ForGood)?
            }
        };
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, written.kind);
        let answer = request.body(written.text).send().await;
        // What it answers beside its status is nobody's business, however long.
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) if status.is_redirection() => Err(Undelivered::ForGood(format!(
                "it answers {status}; redirects are not followed"
            ))),
            Ok(status)
                if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) =>
            {
                Err(Undelivered::ForNow(format!("it answers {status}")))
            }
            Ok(status) => Err(Undelivered::ForGood(format!("it answers {status}"))),
            Err(error) => Err(Undelivered::ForNow(cause(error))),
        }
    }
}

/// The innermost reason; the outer ones repeat the address.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn Error = &error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

/// Looks names up, and refuses what no name should lead to.
struct Careful;

impl Resolve for Careful {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|it| !is_link_local(it.ip())).collect();
            if good.is_empty() {
                return Err("its name leads to a link-local address, which is refused".into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_link_local() || it.is_unspecified(),
        IpAddr::V6(it) => match it.to_ipv4_mapped() {
            Some(it) => it.is_link_local() || it.is_unspecified(),
            // The second is where one cloud keeps the keys of its machines.
            None => {
                it.is_unicast_link_local()
                    || it.is_unspecified()
                    || it.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_may_lead_to_where_clouds_keep_keys() {
        let is = |text: &str| is_link_local(text.parse().expect("an address"));
        for bad in
            ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0"]
        {
            assert!(is(bad), "{bad}");
        }
        for good in ["127.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "fd00::1", "2001:db8::1"] {
            assert!(!is(good), "{good}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_it() {
        for bad in ["", "hooks.example.com/secret", "file:///etc/secret", "ftp://x/secret"] {
            let why = Post::new(bad, Body::Plain).err().expect("it is refused");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
