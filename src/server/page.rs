//! The page: read-only, rendered here, whole without JavaScript.
//!
//! Templates are part of the program and escape all that is put into them. The script does one
//! thing: when told that something has changed, it asks for the same page again and exchanges its
//! middle.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::serve::Front;
use super::view;

const STYLE: &str = include_str!("../../templates/page/page.css");
const SCRIPT: &str = include_str!("../../templates/page/page.js");

/// The templates of the page.
pub(super) struct Pages(Environment<'static>);

impl Pages {
    pub(super) fn new() -> Self {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in [
            ("frame.html", include_str!("../../templates/page/frame.html")),
            ("parts.html", include_str!("../../templates/page/parts.html")),
            ("overview.html", include_str!("../../templates/page/overview.html")),
            ("stack.html", include_str!("../../templates/page/stack.html")),
        ] {
            pages.add_template(name, text).expect("the templates of the page are tested");
        }
        Self(pages)
    }

    fn render(&self, name: &str, page: &impl Serialize) -> Result<String, minijinja::Error> {
        let page = minijinja::Value::from(minijinja::value::Serde(page));
        let version = env!("CARGO_PKG_VERSION");
        self.0.get_template(name)?.render(context! { page, version })
    }

    fn answer(&self, name: &str, page: &impl Serialize) -> Response {
        match self.render(name, page) {
            Ok(text) => typed("text/html; charset=utf-8", text),
            Err(error) => {
                let why = format!("the page could not be drawn: {error}\n");
                (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
            }
        }
    }
}

fn typed(kind: &'static str, text: impl Into<String>) -> Response {
    let headers: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, kind)];
    (headers, text.into()).into_response()
}

/// `GET /`.
pub(super) async fn overview(State(front): State<Arc<Front>>) -> Response {
    let picture = Arc::clone(&front.doors.picture.borrow());
    front.pages.answer("overview.html", &view::overview(&picture, front.now()))
}

/// `GET /stacks/{source}/{stack}`.
pub(super) async fn stack(
    State(front): State<Arc<Front>>,
    Path((source, stack)): Path<(String, String)>,
) -> Response {
    let picture = Arc::clone(&front.doors.picture.borrow());
    match view::stack(&picture, &source, &stack, front.now()) {
        Some(page) => front.pages.answer("stack.html", &page),
        None => (StatusCode::NOT_FOUND, "there is no such stack\n").into_response(),
    }
}

/// `GET /page.css`.
pub(super) async fn style() -> Response {
    typed("text/css; charset=utf-8", STYLE)
}

/// `GET /page.js`.
pub(super) async fn script() -> Response {
    typed("text/javascript; charset=utf-8", SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::view::fixture::{NOW, picture};
    use crate::sync::Picture;

    fn overview_of(picture: &Picture) -> String {
        Pages::new().render("overview.html", &view::overview(picture, NOW)).expect("a page")
    }

    fn stack_of(picture: &Picture, name: &str) -> String {
        let page = view::stack(picture, "shop", name, NOW).expect("a stack");
        Pages::new().render("stack.html", &page).expect("a page")
    }

    #[test]
    fn the_overview_shows_fleet_stacks_drift_and_why_something_waits() {
        let page = overview_of(&picture());
        for words in [
            "web-1",
            "it does not answer",
            "Degraded",
            "web: image is shop:debug",
            "outside the window &lt;office hours&gt;",
            "in 1 h",
            "4 replicas replaced",
            "Bigger cache",
        ] {
            assert!(page.contains(words), "{words}");
        }
    }

    #[test]
    fn a_stack_shows_its_plan_its_replicas_and_its_rounds() {
        let page = stack_of(&picture(), "web");
        for words in
            ["no downtime", "running (healthy)", "Plan: 4 to create", "4 replicas replaced"]
        {
            assert!(page.contains(words), "{words}");
        }
    }

    #[test]
    fn an_empty_fleet_has_a_page_too() {
        assert!(overview_of(&Picture::default()).contains("No source"));
    }

    #[test]
    fn nothing_of_a_repository_is_taken_for_markup() {
        let mut bad = picture();
        let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let source = bad.sources.values_mut().next().expect("a source");
        source.repository = evil.to_owned();
        source.branch = evil.to_owned();
        source.summary = Some(evil.to_owned());
        source.trouble = Some(evil.to_owned());
        for stack in source.stacks.values_mut() {
            stack.drift = vec![evil.to_owned()];
            for round in stack.history.iter_mut().map(Arc::make_mut) {
                round.message = evil.to_owned();
                round.by = Some(evil.to_owned());
            }
            if let Some(plan) = stack.plan.as_mut().map(Arc::make_mut) {
                plan.text = evil.to_owned();
                plan.summary = evil.to_owned();
            }
        }
        for page in [overview_of(&bad), stack_of(&bad, "web"), stack_of(&bad, "api")] {
            assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
        }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_nothing_written_into_it() {
        let page = overview_of(&picture()) + &stack_of(&picture(), "web");
        assert!(!page.contains("style=") && !page.contains("onclick") && !page.contains("<style"));
        for address in page.split("src=\"").chain(page.split("href=\"")).skip(1) {
            assert!(!address.starts_with("http") && !address.starts_with("//"), "{address}");
        }
    }
}
