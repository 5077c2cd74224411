//! What an engine's error means for us: whether something may have happened.
//!
//! The library's own words for a connection that failed are "client error"; the reason is in the
//! chain of sources.

use std::error::Error as _;

use bollard::errors::Error;

use crate::ports::PortError;

/// Our word for `error`, which came of trying to `what`: "create container web".
pub(super) fn port_error(what: &str, error: &Error) -> PortError {
    if let Some(error) = ours(error) {
        return error.clone();
    }
    let message = format!("could not {what}: {}", reason(error));
    match error {
        Error::DockerResponseServerError { status_code: 404, .. } => PortError::NotFound(message),
        Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. } => {
            PortError::Refused(message)
        }
        Error::HyperLegacyError { err } if err.is_connect() => PortError::Unreachable(message),
        Error::SocketNotFoundError(_) => PortError::Unreachable(message),
        // Nothing of these was sent.
        Error::InvalidURIError { .. }
        | Error::InvalidURIPartsError { .. }
        | Error::URLParseError { .. }
        | Error::URLEncodedError { .. }
        | Error::HttpClientError { .. }
        | Error::UnsupportedURISchemeError { .. } => PortError::Refused(message),
        _ => PortError::Unknown(message),
    }
}

/// What the way to the engine said when there was none.
fn ours(error: &Error) -> Option<&PortError> {
    let mut source = error.source();
    while let Some(next) = source {
        let inner = next.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(error);
        }
        source = next.source();
    }
    None
}

/// The HTTP status that came, if one did.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The reason in words: the engine's own, or the last source that says more than the one above it.
pub(super) fn reason(error: &Error) -> String {
    if let Error::DockerResponseServerError { message, .. } = error {
        return message.trim().to_owned();
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        words = next.to_string();
        source = next.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16) -> PortError {
        let message = "no such thing\n".to_owned();
        port_error("find x", &Error::DockerResponseServerError { status_code, message })
    }

    #[test]
    fn an_answer_is_final() {
        assert_eq!(answered(404), PortError::NotFound("could not find x: no such thing".into()));
        for status in [400, 403, 409, 500, 503] {
            let refused = PortError::Refused("could not find x: no such thing".into());
            assert_eq!(answered(status), refused, "{status}");
        }
    }

    #[test]
    fn no_answer_leaves_it_open() {
        let broken = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for error in [Error::RequestTimeoutError, broken] {
            assert!(matches!(port_error("find x", &error), PortError::Unknown(_)), "{error}");
        }
    }
}
