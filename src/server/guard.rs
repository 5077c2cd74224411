//! Who may pass: the check in front of every route, and the headers on every answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::doors::Key;
use super::serve::Front;
use super::signature::is_same;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody: nothing in it is worth hiding, and it is asked for by machines.
    Everybody,
    /// Whoever signs the body; the route checks that itself.
    Signer,
    /// Whoever sends the token in `Authorization: Bearer`. A browser never does that by itself, so
    /// no foreign page can make one ask for something here.
    Bearer,
    /// The same, or a browser whose user gave the token as the password. For reading only.
    Browser,
}

/// What is wrong with a login.
#[derive(Debug, PartialEq, Eq)]
enum Closed {
    /// The daemon's file names no token.
    NoToken,
    /// None was given, or a wrong one.
    Wrong,
}

/// The check in front of a route.
pub(super) async fn check(
    State((front, access)): State<(Arc<Front>, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let keys = front.doors.keys.borrow().clone();
    match may_pass(access, keys.login.as_ref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Closed::NoToken) => {
            let why = "nobody may: the daemon's file names no token\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
        Err(Closed::Wrong) => {
            let wanted = match access {
                Access::Browser => "Basic realm=\"gitdeploy\", charset=\"UTF-8\"",
                Access::Everybody | Access::Signer | Access::Bearer => "Bearer",
            };
            let header = [(header::WWW_AUTHENTICATE, wanted)];
            (StatusCode::UNAUTHORIZED, header, "the token is missing or wrong\n").into_response()
        }
    }
}

fn may_pass(access: Access, login: Option<&Key>, headers: &HeaderMap) -> Result<(), Closed> {
    let takes_password = match access {
        Access::Everybody | Access::Signer => return Ok(()),
        Access::Bearer => false,
        Access::Browser => true,
    };
    let key = login.ok_or(Closed::NoToken)?;
    let given = given(headers, takes_password).ok_or(Closed::Wrong)?;
    if is_same(key.bytes(), &given) { Ok(()) } else { Err(Closed::Wrong) }
}

/// The token in the headers; with `takes_password`, also the password of a browser's login. Whose
/// name stands before it makes no difference.
fn given(headers: &HeaderMap, takes_password: bool) -> Option<Vec<u8>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !takes_password || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let login = STANDARD.decode(rest.trim()).ok()?;
    let colon = login.iter().position(|byte| *byte == b':')?;
    Some(login[colon + 1..].to_vec())
}

/// Headers of every answer: a page of ours loads nothing from elsewhere, runs nothing that is
/// written into it, is shown in no foreign frame and kept in no cache.
const HEADERS: &[(HeaderName, &str)] = &[
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
         img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Sets the headers.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn pass(access: Access, authorization: &[&str]) -> Result<(), Closed> {
        let key = Key::login(TOKEN).expect("a key");
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, value.parse().expect("a value"));
        }
        may_pass(access, Some(&key), &headers)
    }

    fn basic(login: &str) -> String {
        format!("Basic {}", STANDARD.encode(login))
    }

    #[test]
    fn a_program_gives_the_token_and_nothing_else_will_do() {
        assert_eq!(pass(Access::Bearer, &["Bearer 0123456789abcdef"]), Ok(()));
        for wrong in ["Bearer 0123456789abcde", "Bearer ", "Bearer", "0123456789abcdef", ""] {
            assert_eq!(pass(Access::Bearer, &[wrong]), Err(Closed::Wrong), "{wrong}");
        }
        assert_eq!(pass(Access::Bearer, &[]), Err(Closed::Wrong));
    }

    #[test]
    fn what_a_browser_sends_by_itself_opens_the_page_and_not_the_api() {
        let login = basic("anybody:0123456789abcdef");
        assert_eq!(pass(Access::Browser, &[&login]), Ok(()));
        assert_eq!(pass(Access::Bearer, &[&login]), Err(Closed::Wrong));
        assert_eq!(pass(Access::Browser, &[&basic("0123456789abcdef")]), Err(Closed::Wrong));
        assert_eq!(pass(Access::Browser, &["Basic ???"]), Err(Closed::Wrong));
    }

    #[test]
    fn two_logins_are_none() {
        let good = "Bearer 0123456789abcdef";
        assert_eq!(pass(Access::Bearer, &[good, good]), Err(Closed::Wrong));
    }

    #[test]
    fn without_a_token_nobody_passes() {
        for access in [Access::Bearer, Access::Browser] {
            assert_eq!(may_pass(access, None, &HeaderMap::new()), Err(Closed::NoToken));
        }
        assert_eq!(may_pass(Access::Everybody, None, &HeaderMap::new()), Ok(()));
    }
}
