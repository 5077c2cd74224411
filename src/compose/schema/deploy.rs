//! `deploy`: how many containers a service has, where and with what.

use crate::shape::{List, Record, Shape};

use super::common::{DEVICE_REQUEST, ENTRIES, INTEGER, NUMBER, TEXTS, key};

pub(super) const DEPLOY: Shape = Shape::OneOf(&[Shape::Record(&DEPLOY_RECORD), Shape::Null]);

static DEPLOY_RECORD: Record = Record {
    name: "deploy",
    fields: &[
        key("mode", Shape::Str, "`replicated` or `global`: a number of containers, or one a host."),
        key("endpoint_mode", Shape::Str, "How clients find the containers: `vip` or `dnsrr`."),
        key("replicas", INTEGER, "How many containers run."),
        key("labels", ENTRIES, "Labels of the service, not of its containers."),
        key("rollback_config", Shape::Record(&UPDATE), "How a failed update is taken back."),
        key("update_config", Shape::Record(&UPDATE), "How containers are replaced."),
        key("resources", Shape::Record(&RESOURCES), "What containers may use and are promised."),
        key("restart_policy", Shape::Record(&RESTART), "When containers are started again."),
        key("placement", Shape::Record(&PLACEMENT), "Where containers run."),
    ],
    extensions: true,
};

static UPDATE: Record = Record {
    name: "update",
    fields: &[
        key("parallelism", INTEGER, "How many containers are replaced at a time."),
        key("delay", Shape::Str, "The pause between two replacements."),
        key("failure_action", Shape::Str, "What happens when one fails."),
        key("monitor", Shape::Str, "How long a new container is watched."),
        key("max_failure_ratio", NUMBER, "The share of failures that is put up with."),
        key(
            "order",
            Shape::Enum(&["start-first", "stop-first"]),
            "Whether the new container starts before the old one stops.",
        ),
    ],
    extensions: true,
};

static RESOURCES: Record = Record {
    name: "resources",
    fields: &[
        key("limits", Shape::Record(&LIMITS), "What a container may use at most."),
        key("reservations", Shape::Record(&RESERVATIONS), "What a container can rely on."),
    ],
    extensions: true,
};

static LIMITS: Record = Record {
    name: "limits",
    fields: &[
        key("cpus", NUMBER, "Cores, fractions allowed."),
        key("memory", Shape::Str, "Memory."),
        key("pids", INTEGER, "Processes."),
    ],
    extensions: true,
};

static RESERVATIONS: Record = Record {
    name: "reservations",
    fields: &[
        key("cpus", NUMBER, "Cores, fractions allowed."),
        key("memory", Shape::Str, "Memory."),
        // Limits and reservations are one type in the model, so a later file sees what an earlier
        // one was turned into; nothing is added here that the specification lacks.
        key(
            "generic_resources",
            Shape::List(&List { item: Shape::Record(&GENERIC), min: 0, unique: false }),
            "Resources that hosts declare.",
        ),
        key(
            "devices",
            Shape::List(&List { item: Shape::Record(&DEVICE_REQUEST), min: 0, unique: false }),
            "Devices such as GPUs.",
        ),
    ],
    extensions: true,
};

static GENERIC: Record = Record {
    name: "generic resource",
    fields: &[key(
        "discrete_resource_spec",
        Shape::Record(&DISCRETE),
        "A resource that is counted.",
    )],
    extensions: true,
};

static DISCRETE: Record = Record {
    name: "discrete resource",
    fields: &[key("kind", Shape::Str, "What it is."), key("value", NUMBER, "How many of it.")],
    extensions: true,
};

static RESTART: Record = Record {
    name: "restart policy",
    fields: &[
        key("condition", Shape::Str, "`none`, `on-failure` or `any`."),
        key("delay", Shape::Str, "The pause before a restart."),
        key("max_attempts", INTEGER, "How often it is tried."),
        key("window", Shape::Str, "How long it must run for a restart to count as done."),
    ],
    extensions: true,
};

static PLACEMENT: Record = Record {
    name: "placement",
    fields: &[
        key("constraints", TEXTS, "What must be true of a host."),
        key(
            "preferences",
            Shape::List(&List { item: Shape::Record(&PREFERENCE), min: 0, unique: false }),
            "How containers are spread over hosts.",
        ),
        key("max_replicas_per_node", INTEGER, "How many containers one host may have."),
    ],
    extensions: true,
};

static PREFERENCE: Record = Record {
    name: "preference",
    fields: &[key("spread", Shape::Str, "The label whose values share the containers evenly.")],
    extensions: true,
};
