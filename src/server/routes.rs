//! All routes, each with who may use it. There is no other place where one is made, and a path
//! that is not here is refused to strangers like one that is.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};

use super::guard::{Access, check, protect};
use super::serve::Front;
use super::{api, health, hooks, metrics, page, stream};

/// One route.
struct Route {
    path: &'static str,
    access: Access,
    answers: fn() -> MethodRouter<Arc<Front>>,
}

impl Route {
    const fn new(
        path: &'static str,
        access: Access,
        answers: fn() -> MethodRouter<Arc<Front>>,
    ) -> Self {
        Self { path, access, answers }
    }
}

const ROUTES: &[Route] = &[
    Route::new("/healthz", Access::Everybody, || get(health::alive)),
    Route::new("/readyz", Access::Everybody, || get(health::ready)),
    Route::new("/metrics", Access::Everybody, || get(metrics::show)),
    Route::new("/page.css", Access::Everybody, || get(page::style)),
    Route::new("/page.js", Access::Everybody, || get(page::script)),
    Route::new("/hooks/{source}", Access::Signer, || post(hooks::receive)),
    Route::new("/", Access::Browser, || get(page::overview)),
    Route::new("/stacks/{source}/{stack}", Access::Browser, || get(page::stack)),
    Route::new("/live", Access::Browser, || get(stream::changes)),
    Route::new("/api/v1/picture", Access::Bearer, || get(api::picture)),
    Route::new("/api/v1/stacks", Access::Bearer, || get(api::stacks)),
    Route::new("/api/v1/stacks/{source}/{stack}", Access::Bearer, || get(api::stack)),
    Route::new("/api/v1/rounds", Access::Bearer, || get(api::rounds)),
    Route::new("/api/v1/plans", Access::Bearer, || get(api::plans)),
    Route::new("/api/v1/plans/{source}/{stack}", Access::Bearer, || get(api::plan)),
    Route::new("/api/v1/events", Access::Bearer, || get(stream::events)),
    Route::new("/api/v1/sources/{source}/fetch", Access::Bearer, || post(api::fetch)),
    Route::new("/api/v1/stacks/{source}/{stack}/sync", Access::Bearer, || post(api::sync)),
    Route::new("/api/v1/stacks/{source}/{stack}/approve", Access::Bearer, || post(api::approve)),
    Route::new("/api/v1/stacks/{source}/{stack}/pause", Access::Bearer, || post(api::pause)),
    Route::new("/api/v1/stacks/{source}/{stack}/resume", Access::Bearer, || post(api::resume)),
];

/// All of them, guarded.
pub(super) fn router(front: &Arc<Front>) -> Router {
    let guard = |access| from_fn_with_state((Arc::clone(front), access), check);
    let mut router = Router::new();
    for Route { path, access, answers } in ROUTES {
        // Around the method as well, so that a stranger does not even learn which ones there are.
        router = router.route(path, answers().layer(guard(*access)));
    }
    let nothing = get(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") });
    router
        .fallback_service(nothing.layer(guard(Access::Browser)).with_state(Arc::clone(front)))
        .layer(from_fn(protect))
        .with_state(Arc::clone(front))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::{Method, Response};
    use tower_service::Service as _;

    use super::*;
    use crate::server::serve::fixture::{TOKEN, front};

    async fn asked(method: &Method, path: &str, bearer: Option<&str>) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        router(&front()).call(request).await.expect("an answer")
    }

    fn filled(path: &str) -> String {
        path.replace("{source}", "shop").replace("{stack}", "web")
    }

    #[tokio::test]
    async fn a_stranger_meets_401_wherever_it_is_not_said_that_everybody_may() {
        for route in ROUTES {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                let status = asked(&method, &filled(route.path), None).await.status();
                match route.access {
                    Access::Everybody | Access::Signer => {
                        assert_ne!(status, StatusCode::FORBIDDEN, "{}", route.path);
                    }
                    Access::Bearer | Access::Browser => {
                        assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {}", method, route.path);
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn what_changes_something_is_never_open_to_a_browser() {
        for route in ROUTES.iter().filter(|route| route.path.starts_with("/api/")) {
            assert_eq!(route.access, Access::Bearer, "{}", route.path);
        }
        for route in ROUTES.iter().filter(|route| route.access == Access::Browser) {
            let status = asked(&Method::POST, &filled(route.path), Some(TOKEN)).await.status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
        }
    }

    #[tokio::test]
    async fn a_path_that_is_not_there_is_refused_like_one_that_is() {
        let strange = asked(&Method::GET, "/api/v1/secrets", None).await.status();
        assert_eq!(strange, StatusCode::UNAUTHORIZED);
        let known = asked(&Method::GET, "/api/v1/secrets", Some(TOKEN)).await.status();
        assert_eq!(known, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_answer_forbids_what_a_page_could_be_abused_for() {
        for path in ["/", "/healthz", "/nowhere", "/api/v1/picture"] {
            let answer = asked(&Method::GET, path, Some(TOKEN)).await;
            let policy = answer.headers()["content-security-policy"].to_str().expect("text");
            assert!(policy.starts_with("default-src 'none'"), "{path}");
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}");
        }
    }
}
