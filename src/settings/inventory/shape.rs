//! What `inventory.yaml` may contain.

use super::endpoint::{ENDPOINT, LOCATION, SECRET_LOCATION};
use super::host::{JUMP, PORTS};
use super::proxy::{CONTAINER_OR_HOST, LISTEN_TEXT, TEMPLATE};
use super::registry::{PASSWORD_FILE, SERVER, VARIABLE};
use crate::settings::address::ADDRESS;
use crate::settings::formats::{ABSOLUTE_PATH, PORT, SIZE};
use crate::settings::names::NAME;
use crate::settings::selector::label_key;
use crate::shape::{Field, Format, INT, List, MapOf, Record, Shape};

const LABEL: Format = Format { name: "label", example: "role", check: label_key };

const LOGIN: Format = Format {
    name: "user name",
    example: "deploy",
    check: |text| crate::settings::Authority::parse(&format!("{text}@host")).map(drop),
};

const WORDS: Shape = Shape::List(&List { item: Shape::Str, min: 1, unique: false });

/// `inventory.yaml`.
pub static INVENTORY: Record = Record {
    name: "inventory",
    fields: &[
        Field::optional(
            "hosts",
            Shape::Map(&MapOf { key: Some(&NAME), value: Shape::Record(&HOST), extensions: false }),
            "The hosts, by name. Default: one host `local`, the Docker engine of this machine.",
        ),
        Field::optional("defaults", Shape::Record(&DEFAULTS), "What holds for every host."),
        Field::optional(
            "proxies",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&PROXY),
                extensions: false,
            }),
            "The proxies that routes go through, by name.",
        ),
        Field::optional(
            "registries",
            Shape::Map(&MapOf {
                key: Some(&SERVER),
                value: Shape::Record(&REGISTRY),
                extensions: false,
            }),
            "Logins for registries, by the name that images begin with; `docker.io` for those that \
             name none. Default: those of `docker login`, on the machine that runs gitdeploy.",
        ),
        Field::defaulting(
            "unreachable",
            Shape::Enum(&["fail", "skip"]),
            "fail",
            "What a plan does about a host that does not answer.",
        ),
    ],
    extensions: true,
};

static HOST: Record = Record {
    name: "host",
    fields: &[
        Field::required(
            "docker",
            Shape::Text(&ENDPOINT),
            "Its Docker engine: `ssh://user@host:port`, perhaps with the path of a socket; \
             `unix:///path`; or `tcp://host:port` with `tls`.",
        ),
        Field::optional(
            "tls",
            Shape::OneOf(&[Shape::Record(&TLS), Shape::Bool]),
            "The files for `tcp://`. `false` goes without, which gives everybody on the network \
             root on the host.",
        ),
        Field::optional(
            "address",
            Shape::Text(&ADDRESS),
            "Where proxies reach its published ports. Default: the host of the URL; 127.0.0.1 for \
             `unix://`.",
        ),
        Field::optional(
            "labels",
            Shape::Map(&MapOf {
                key: Some(&LABEL),
                value: Shape::OneOf(&[Shape::Str, INT, Shape::Bool]),
                extensions: false,
            }),
            "Words that placement constraints and selectors ask for.",
        ),
        Field::optional("capacity", Shape::Record(&CAPACITY), "What replicas may use of it."),
        Field::defaulting(
            "ports",
            Shape::Text(&PORTS),
            "20000-29999",
            "The range that replicas are published in.",
        ),
        Field::optional("ssh", Shape::Record(&SSH), "How to log in, for `ssh://`."),
    ],
    extensions: false,
};

static TLS: Record = Record {
    name: "tls",
    fields: &[
        Field::required(
            "ca",
            Shape::Text(&LOCATION),
            "Who signed the engine's certificate. A relative path is seen from this file.",
        ),
        Field::optional("cert", Shape::Text(&LOCATION), "Our certificate."),
        Field::optional("key", Shape::Text(&SECRET_LOCATION), "Its key, outside the repository."),
    ],
    extensions: false,
};

static CAPACITY: Record = Record {
    name: "capacity",
    fields: &[
        Field::optional("cpus", Shape::Number, "Processors. Default: what the engine reports."),
        Field::optional(
            "memory",
            Shape::OneOf(&[Shape::Text(&SIZE), Shape::Int { min: 1, max: i64::MAX }]),
            "Memory, as in `8g`. Default: what the engine reports.",
        ),
    ],
    extensions: false,
};

static SSH: Record = Record {
    name: "ssh",
    fields: &[
        Field::optional("user", Shape::Text(&LOGIN), "Who logs in, when the URL does not say."),
        Field::optional("port", PORT, "The port, when the URL does not say."),
        Field::optional(
            "identity",
            Shape::Text(&SECRET_LOCATION),
            "The private key. Default: those of `~/.ssh/config`, the agent's and the usual ones.",
        ),
        Field::optional(
            "known_hosts",
            Shape::Text(&LOCATION),
            "The keys that hosts may have. A relative path is seen from this file and lies in the \
             repository. Default: the user's and the system's.",
        ),
        Field::optional(
            "jump",
            Shape::Text(&JUMP),
            "The machine to go through: a host of this inventory, `ssh://user@host:port` for any \
             other, or `none`.",
        ),
    ],
    extensions: false,
};

static DEFAULTS: Record = Record {
    name: "defaults",
    fields: &[Field::optional(
        "ssh",
        Shape::Record(&SSH),
        "Laid under the `ssh` of every host. A jump is not applied to the machines on its way.",
    )],
    extensions: false,
};

static PROXY: Record = Record {
    name: "proxy",
    fields: &[
        Field::required("kind", Shape::Enum(&["nginx", "haproxy"]), "What it is."),
        Field::required(
            "hosts",
            Shape::List(&List { item: Shape::Str, min: 1, unique: true }),
            "Where it runs: names of hosts, or selectors such as `role=edge`.",
        ),
        Field::defaulting(
            "runs",
            Shape::Text(&CONTAINER_OR_HOST),
            "host",
            "`host` for a service of the host, `container:NAME` for a container.",
        ),
        Field::required(
            "config",
            Shape::Text(&ABSOLUTE_PATH),
            "The one file that is written; everything else is the owner's.",
        ),
        Field::defaulting(
            "listen",
            Shape::List(&List {
                item: Shape::OneOf(&[PORT, Shape::Text(&LISTEN_TEXT), Shape::Record(&LISTENER)]),
                min: 1,
                unique: true,
            }),
            "[80]",
            "Where it takes requests: a port, `address:port`, or a mapping with `tls`.",
        ),
        Field::optional(
            "test",
            WORDS,
            "The command that checks its configuration, run where the proxy runs. Default: \
             `nginx -t`, or `haproxy -c` with its main file and `config`.",
        ),
        Field::optional(
            "reload",
            WORDS,
            "The command that makes it read its configuration. Default: `nginx -s reload`; \
             `systemctl reload haproxy`, in a container `kill -USR2 1`.",
        ),
        Field::optional(
            "socket",
            Shape::Text(&ABSOLUTE_PATH),
            "HAProxy's runtime socket, for changes without a reload.",
        ),
        Field::optional(
            "template",
            Shape::Text(&TEMPLATE),
            "A template for `config`, seen from this file. Default: the built-in one.",
        ),
    ],
    extensions: false,
};

static REGISTRY: Record = Record {
    name: "registry",
    fields: &[
        Field::required("username", Shape::Str, "The user."),
        Field::optional(
            "password_env",
            Shape::Text(&VARIABLE),
            "The variable with the password or token, where gitdeploy runs.",
        ),
        Field::optional(
            "password_file",
            Shape::Text(&PASSWORD_FILE),
            "The file whose first line is the password, where gitdeploy runs and outside the \
             repository.",
        ),
    ],
    extensions: false,
};

static LISTENER: Record = Record {
    name: "listener",
    fields: &[
        Field::required("port", PORT, "The port."),
        Field::optional("address", Shape::Text(&ADDRESS), "The IP address. Default: all."),
        Field::optional("tls", Shape::Record(&CERTIFICATE), "Makes it HTTPS."),
    ],
    extensions: false,
};

static CERTIFICATE: Record = Record {
    name: "certificate",
    fields: &[
        Field::required("cert", Shape::Text(&ABSOLUTE_PATH), "A file where the proxy runs."),
        Field::optional(
            "key",
            Shape::Text(&ABSOLUTE_PATH),
            "A file where the proxy runs; HAProxy may have it in `cert`.",
        ),
    ],
    extensions: false,
};
