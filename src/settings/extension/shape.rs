//! What `x-gitdeploy` may contain, and the forms of its strings.

use crate::settings::address::{labels, parse_port};
use crate::settings::formats::{DURATION, PERIOD, PORT};
use crate::settings::names::NAME;
use crate::shape::{Field, Format, List, Record, Shape};

/// What a proxy's route is asked for by name.
const ROUTE_HOST: Format =
    Format { name: "host name", example: "shop.example.com", check: route_host };
const ROUTE_PATH: Format = Format { name: "path", example: "/api", check: route_path };
const REQUEST_PATH: Format =
    Format { name: "path of a request", example: "/healthz", check: request_path };
const PORT_TEXT: Format =
    Format { name: "port", example: "8080", check: |text| parse_port(text).map(drop) };
const PORT_OR_TEXT: Shape = Shape::OneOf(&[PORT, Shape::Text(&PORT_TEXT)]);

/// `x-gitdeploy`.
pub static EXTENSION: Record = Record {
    name: "x-gitdeploy",
    fields: &[
        Field::optional(
            "routes",
            Shape::List(&List { item: Shape::Record(&ROUTE), min: 0, unique: false }),
            "What proxies send to this service.",
        ),
        Field::optional("health", Shape::Record(&HEALTH), "When a new replica counts as ready."),
        Field::optional("drain", Shape::Record(&DRAIN), "How an old replica is let go."),
        Field::optional("rollout", Shape::Record(&ROLLOUT), "In which order replicas change."),
        Field::optional(
            "placement",
            Shape::Record(&PLACEMENT),
            "Which host a replica goes to, beside `placement` of `deploy:`.",
        ),
    ],
    extensions: true,
};

static ROUTE: Record = Record {
    name: "route",
    fields: &[
        Field::required(
            "host",
            Shape::Text(&ROUTE_HOST),
            "The name that requests ask for; `*.example.com` for all names below one.",
        ),
        Field::defaulting(
            "path",
            Shape::Text(&ROUTE_PATH),
            "/",
            "The beginning of the paths that belong to this service.",
        ),
        Field::required("port", PORT_OR_TEXT, "The port the container listens on."),
        Field::optional(
            "proxy",
            Shape::Text(&NAME),
            "The proxy of the inventory that serves the route. Default: the only one there is.",
        ),
    ],
    extensions: false,
};

/// `health:` of a service and of `defaults:`.
pub(in crate::settings) static HEALTH: Record = Record {
    name: "health",
    fields: &[
        Field::optional(
            "http",
            Shape::Text(&REQUEST_PATH),
            "Asked for with GET from outside the container; an answer from 200 to 399 is healthy.",
        ),
        Field::optional(
            "tcp",
            PORT_OR_TEXT,
            "A port of the container that must accept a connection, at the container's own address. \
             Stands instead of `http`.",
        ),
        Field::optional(
            "port",
            PORT_OR_TEXT,
            "The port that `http` is asked on. Default: the port of the service's routes.",
        ),
        Field::defaulting(
            "interval",
            Shape::Text(&PERIOD),
            "1s",
            "The time between two questions.",
        ),
        Field::defaulting("timeout", Shape::Text(&PERIOD), "2s", "How long one answer may take."),
        Field::defaulting(
            "within",
            Shape::Text(&PERIOD),
            "60s",
            "How long a new replica has until it must be healthy.",
        ),
    ],
    extensions: false,
};

/// `drain:` of a service and of `defaults:`.
pub(in crate::settings) static DRAIN: Record = Record {
    name: "drain",
    fields: &[Field::defaulting(
        "timeout",
        Shape::Text(&DURATION),
        "30s",
        "How long an old replica may finish its requests once no proxy sends it new ones.",
    )],
    extensions: false,
};

/// `rollout:` of a service and of `defaults:`.
pub(in crate::settings) static ROLLOUT: Record = Record {
    name: "rollout",
    fields: &[Field::defaulting(
        "strategy",
        Shape::Enum(&["all-at-once", "rolling", "host-by-host"]),
        "all-at-once",
        "`all-at-once`: all new replicas are ready before traffic moves, on all hosts together. \
         `rolling`: as many at a time as `update_config.parallelism` of `deploy:` says, one when \
         it says nothing. `host-by-host`: the same with hosts, all replicas of a host together.",
    )],
    extensions: false,
};

/// `placement:` of a service and of `defaults:`.
pub(in crate::settings) static PLACEMENT: Record = Record {
    name: "placement",
    fields: &[Field::defaulting(
        "strategy",
        Shape::Enum(&["spread", "binpack"]),
        "spread",
        "`spread`: the host with the fewest replicas of the service. `binpack`: the one that is \
         fullest and has room, by `resources.reservations` of `deploy:`. Replicas that run well \
         are not moved by it.",
    )],
    extensions: false,
};

pub(super) fn route_host(text: &str) -> Result<(), String> {
    if text.contains("://") {
        return Err("write the name alone, without a scheme".into());
    }
    if let Some((_, port)) = text.split_once(':')
        && parse_port(port).is_ok()
    {
        return Err("a port does not belong here; the proxy's `listen` says it".into());
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.contains('*') {
        return Err("`*` stands only in front, for one whole part: `*.example.com`".into());
    }
    labels(name, |c| c.is_ascii_alphanumeric() || c == '-')
}

/// Refuses what a proxy's configuration cannot hold as plain text, such as `$`, `;` and quotes.
fn route_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err("it must start with `/`".into());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%+@:,=!".contains(c);
    match text.chars().find(|c| !is_plain(*c)) {
        Some('?' | '#') => Err("only the path is looked at, not what follows `?` or `#`".into()),
        Some('*') => Err("no pattern is needed: every path that starts so is meant".into()),
        Some(c) => Err(format!("`{c}` must be written percent-encoded")),
        None => Ok(()),
    }
}

fn request_path(text: &str) -> Result<(), String> {
    if text.contains("://") {
        return Err("write the path alone; the host is the replica's".into());
    }
    if !text.starts_with('/') {
        return Err("it must start with `/`".into());
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        Some(c) => Err(format!("{c:?} must be written percent-encoded")),
        None => Ok(()),
    }
}
