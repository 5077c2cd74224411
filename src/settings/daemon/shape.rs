//! What `sync.yaml` may contain.

use std::net::SocketAddr;

use crate::settings::formats::PERIOD;
use crate::settings::names::NAME;
use crate::settings::repository::BRANCH;
use crate::shape::{Field, Format, List, MapOf, Record, Shape};
use crate::sync::parse_moment;

const ADDRESS: Format = Format {
    name: "socket address",
    example: "127.0.0.1:8090",
    check: |text| {
        let parsed = text.parse::<SocketAddr>().map(drop);
        parsed.map_err(|_| "it is written IP:PORT".to_owned())
    },
};

const MOMENT: Format = Format {
    name: "moment",
    example: "2026-01-31T12:00:00Z",
    check: |text| parse_moment(text).map(drop),
};

const REQUIRED: Format = Format {
    name: "text",
    example: "https://git.example.com/acme/shop.git",
    check: |text| match text.trim().is_empty() {
        true => Err("it is empty".to_owned()),
        false => Ok(()),
    },
};

const TEXTS: Shape = Shape::List(&List { item: Shape::Text(&REQUIRED), min: 1, unique: true });

/// The most of what is counted: rounds, attempts.
const MANY: i64 = 100;

/// `sync.yaml`.
pub static DAEMON: Record = Record {
    name: "daemon's settings",
    fields: &[
        Field::required(
            "sources",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&SOURCE),
                extensions: false,
            }),
            "What is watched: each a repository deployed to one of its environments, by name.",
        ),
        Field::optional(
            "listen",
            Shape::Text(&ADDRESS),
            "Where webhooks, page, API and metrics answer. Without it, nothing listens.",
        ),
        Field::optional(
            "token",
            Shape::Record(&SECRET),
            "What whoever uses page and API must show. Without it, both are closed.",
        ),
        Field::optional(
            "notify",
            Shape::List(&List { item: Shape::Record(&NOTIFY), min: 0, unique: false }),
            "Who is told what.",
        ),
        Field::defaulting(
            "rounds",
            Shape::Int { min: 1, max: MANY },
            "4",
            "How many stacks may be changed at the same time, over all sources.",
        ),
    ],
    extensions: true,
};

static SECRET: Record = Record {
    name: "secret",
    fields: &[
        Field::optional("env", Shape::Text(&REQUIRED), "The variable that holds it."),
        Field::optional(
            "file",
            Shape::Text(&REQUIRED),
            "The file that holds it; a relative path is seen from this file.",
        ),
    ],
    extensions: false,
};

static SOURCE: Record = Record {
    name: "source",
    fields: &[
        Field::required(
            "repository",
            Shape::Text(&REQUIRED),
            "Its address, or a folder: a path that begins with `/`, `./` or `../`.",
        ),
        Field::optional(
            "branch",
            Shape::Text(&BRANCH),
            "The branch. Default: that of the environment, else the one the repository starts on.",
        ),
        Field::optional(
            "environment",
            Shape::Text(&NAME),
            "The environment. Default: the only one there is.",
        ),
        Field::defaulting(
            "interval",
            Shape::Text(&PERIOD),
            "2m",
            "How often the branch is asked for; up to a tenth is added, so that not all ask at once.",
        ),
        Field::defaulting(
            "look",
            Shape::Text(&PERIOD),
            "5m",
            "How often all hosts are looked at although nothing has happened.",
        ),
        Field::optional("signed_by", Shape::Record(&SIGNERS), "Who must have signed a commit."),
        Field::optional("webhook", Shape::Record(&WEBHOOK), "The webhook that wakes it."),
        Field::optional("forge", Shape::Record(&FORGE), "Where statuses of commits are written."),
        MODE,
        WINDOWS,
        RETRY_FIELD,
        HEAL_FIELD,
        IGNORE,
        MAX_DELETES,
        Field::optional(
            "stacks",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&STACK),
                extensions: false,
            }),
            "What is otherwise for single stacks, by name; what is left out is as for the source.",
        ),
    ],
    extensions: false,
};

static STACK: Record = Record {
    name: "stack of a source",
    fields: &[MODE, WINDOWS, RETRY_FIELD, HEAL_FIELD, IGNORE, MAX_DELETES],
    extensions: false,
};

const MODES: Shape =
    Shape::OneOf(&[Shape::Enum(&["automatic", "plan-only"]), Shape::Record(&PAUSED)]);

const WINDOW_LIST: Shape =
    Shape::List(&List { item: Shape::Record(&WINDOW), min: 0, unique: false });

const MODE: Field = Field::defaulting(
    "mode",
    MODES,
    "automatic",
    "Who begins to change a stack: the daemon, whoever approves its plan, or nobody.",
);

const WINDOWS: Field = Field::optional(
    "windows",
    WINDOW_LIST,
    "When new commits may be deployed. Without any: always; with one that allows: inside of one; \
     one that denies beats all. What runs is healed at any time.",
);

const RETRY_FIELD: Field = Field::optional(
    "retry",
    Shape::Record(&RETRY),
    "How a commit that failed is tried again. One that was taken back is not, until it changes.",
);

const HEAL_FIELD: Field = Field::optional(
    "heal",
    Shape::Record(&HEAL),
    "How often what runs is put right before it is left for a person.",
);

const IGNORE: Field = Field::optional(
    "ignore",
    TEXTS,
    "Drift that is left alone: `web.image`, `web.replicas`, `*.labels`; `*` stands for one part. \
     When something else has drifted, all of it is put right.",
);

const MAX_DELETES: Field = Field::optional(
    "max_deletes",
    Shape::Int { min: 0, max: i64::MAX },
    "How many containers, networks and volumes one round may remove for good. Default: what the \
     repository says under `protect`.",
);

static PAUSED: Record = Record {
    name: "pause",
    fields: &[
        Field::required("paused", Shape::Text(&REQUIRED), "Why, for whoever wonders."),
        Field::optional(
            "until",
            Shape::Text(&MOMENT),
            "Until when. Default: until this is taken out.",
        ),
    ],
    extensions: false,
};

static WINDOW: Record = Record {
    name: "window",
    fields: &[
        Field::required("name", Shape::Text(&REQUIRED), "What it is called in messages."),
        Field::required("kind", Shape::Enum(&["allow", "deny"]), "Which way it works."),
        Field::required(
            "schedule",
            Shape::Text(&REQUIRED),
            "When it opens: minute, hour, day, month and weekday, as in a crontab.",
        ),
        Field::required("duration", Shape::Text(&PERIOD), "How long it stays open."),
        Field::defaulting("zone", Shape::Text(&REQUIRED), "UTC", "The time zone: `Europe/Berlin`."),
        Field::defaulting(
            "allows_orders",
            Shape::Bool,
            "false",
            "Whether what a person asks for or approves begins although the window says otherwise.",
        ),
    ],
    extensions: false,
};

static RETRY: Record = Record {
    name: "retry",
    fields: &[
        Field::defaulting("limit", Shape::Int { min: 0, max: MANY }, "5", "How often."),
        Field::defaulting(
            "pause",
            Shape::Text(&PERIOD),
            "5s",
            "How long before the first time; each later pause is twice as long.",
        ),
        Field::defaulting("max", Shape::Text(&PERIOD), "3m", "The longest pause."),
    ],
    extensions: false,
};

static HEAL: Record = Record {
    name: "heal",
    fields: &[
        Field::defaulting("rounds", Shape::Int { min: 0, max: MANY }, "5", "So many times."),
        Field::defaulting("within", Shape::Text(&PERIOD), "10m", "Within this time."),
    ],
    extensions: false,
};

static SIGNERS: Record = Record {
    name: "signers",
    fields: &[
        Field::optional(
            "ssh",
            Shape::Text(&REQUIRED),
            "A file of principals and public keys, as `ssh-keygen` reads it (ALLOWED SIGNERS).",
        ),
        Field::optional("gpg", Shape::Text(&REQUIRED), "A keyring, as `gpgv` reads it."),
    ],
    extensions: false,
};

static WEBHOOK: Record = Record {
    name: "webhook",
    fields: &[
        Field::required(
            "kind",
            Shape::Enum(&["github", "gitlab", "gitlab-signed", "gitea", "forgejo", "generic"]),
            "Whose it is: what its headers are called and how it is signed.",
        ),
        Field::required("secret", Shape::Record(&SECRET), "What it is signed with."),
    ],
    extensions: false,
};

static FORGE: Record = Record {
    name: "forge",
    fields: &[
        Field::required(
            "kind",
            Shape::Enum(&["github", "gitlab", "gitea", "forgejo"]),
            "Whose API it is.",
        ),
        Field::required("api", Shape::Text(&REQUIRED), "Its address."),
        Field::required("repository", Shape::Text(&REQUIRED), "The repository there: `acme/shop`."),
        Field::required("token", Shape::Record(&SECRET), "The login."),
    ],
    extensions: false,
};

static NOTIFY: Record = Record {
    name: "notification",
    fields: &[
        Field::required("kind", Shape::Enum(&["webhook", "slack", "mail"]), "How."),
        Field::required(
            "about",
            Shape::List(&List {
                item: Shape::Enum(&[
                    "synced",
                    "failed",
                    "drifted",
                    "rolled-back",
                    "waits",
                    "troubled",
                ]),
                min: 1,
                unique: true,
            }),
            "About what.",
        ),
        Field::optional("sources", TEXTS, "Of which sources. Default: all."),
        Field::optional("url", Shape::Record(&SECRET), "Where a webhook or Slack listens."),
        Field::optional(
            "template",
            Shape::Text(&REQUIRED),
            "The body of a webhook, as a template. Default: the notice as JSON.",
        ),
        Field::optional(
            "server",
            Shape::Text(&REQUIRED),
            "The mail server: `smtps://mail.example.com:465`.",
        ),
        Field::optional("login", Shape::Record(&LOGIN), "The login there."),
        Field::optional("from", Shape::Text(&REQUIRED), "Who writes."),
        Field::optional("to", TEXTS, "Who is written to."),
    ],
    extensions: false,
};

static LOGIN: Record = Record {
    name: "login",
    fields: &[
        Field::required("user", Shape::Text(&REQUIRED), "The user."),
        Field::required("password", Shape::Record(&SECRET), "The password."),
    ],
    extensions: false,
};
