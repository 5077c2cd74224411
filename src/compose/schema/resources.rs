//! Networks, volumes, secrets, configs and models.

use crate::shape::{Field, List, MapOf, Record, Shape};

use super::common::{BOOL, DRIVER_OPTIONS, ENTRIES, INT, TEXTS, key};

const EXTERNAL: Shape = Shape::OneOf(&[Shape::Bool, Shape::Str, Shape::Record(&EXTERNAL_NAME)]);

/// The same where the specification asks for less.
const OPEN_EXTERNAL: Shape = Shape::OneOf(&[Shape::Bool, Shape::Str, Shape::Open(&EXTERNAL_NAME)]);

static EXTERNAL_NAME: Record = Record {
    name: "external",
    fields: &[key("name", Shape::Str, "Deprecated; write `name` beside `external: true`.")],
    extensions: true,
};

pub(super) const NETWORK: Shape = Shape::OneOf(&[Shape::Record(&NETWORK_RECORD), Shape::Null]);

static NETWORK_RECORD: Record = Record {
    name: "network",
    fields: &[
        key(
            "name",
            Shape::Str,
            "Its name on the host; that of the project and its key when left out.",
        ),
        key("driver", Shape::Str, "What makes it."),
        key("driver_opts", DRIVER_OPTIONS, "Options of the driver."),
        key("ipam", Shape::Record(&IPAM), "The addresses in it."),
        key("external", EXTERNAL, "Whether somebody else makes and removes it."),
        key("internal", BOOL, "Whether it has no way out."),
        key("enable_ipv4", BOOL, "Whether it has IPv4."),
        key("enable_ipv6", BOOL, "Whether it has IPv6."),
        key("attachable", BOOL, "Whether other containers may join it."),
        key("labels", ENTRIES, "Labels of the network."),
    ],
    extensions: true,
};

const TEXT_MAP: Shape = Shape::Map(&MapOf { key: None, value: Shape::Str, extensions: false });

static IPAM: Record = Record {
    name: "ipam",
    fields: &[
        key("driver", Shape::Str, "What gives out addresses."),
        key(
            "config",
            Shape::List(&List { item: Shape::Record(&POOL), min: 0, unique: false }),
            "Ranges of addresses.",
        ),
        key("options", TEXT_MAP, "Options of the driver."),
    ],
    extensions: true,
};

static POOL: Record = Record {
    name: "pool",
    fields: &[
        key("subnet", Shape::Str, "The subnet, as `10.5.0.0/16`."),
        key("ip_range", Shape::Str, "The part of it that containers get."),
        key("gateway", Shape::Str, "The address of the gateway."),
        key("aux_addresses", TEXT_MAP, "Addresses that are taken, by host name."),
    ],
    extensions: true,
};

pub(super) const VOLUME: Shape = Shape::OneOf(&[Shape::Record(&VOLUME_RECORD), Shape::Null]);

static VOLUME_RECORD: Record = Record {
    name: "volume",
    fields: &[
        key(
            "name",
            Shape::Str,
            "Its name on the host; that of the project and its key when left out.",
        ),
        key("driver", Shape::Str, "What makes it."),
        key("driver_opts", DRIVER_OPTIONS, "Options of the driver."),
        key("external", EXTERNAL, "Whether somebody else makes and removes it."),
        key("labels", ENTRIES, "Labels of the volume."),
    ],
    extensions: true,
};

pub(super) static SECRET: Record = Record {
    name: "secret",
    fields: &[
        key("name", Shape::Str, "Its name where it is kept."),
        key("environment", Shape::Str, "The variable that has it."),
        key("file", Shape::Str, "The file that has it."),
        key("external", OPEN_EXTERNAL, "Whether somebody else makes and removes it."),
        key("labels", ENTRIES, "Labels of the secret."),
        key("driver", Shape::Str, "What keeps it."),
        key("driver_opts", DRIVER_OPTIONS, "Options of the driver."),
        key("template_driver", Shape::Str, "What fills in its text."),
    ],
    extensions: true,
};

pub(super) static CONFIG: Record = Record {
    name: "config",
    fields: &[
        key("name", Shape::Str, "Its name where it is kept."),
        key("content", Shape::Str, "Its text."),
        key("environment", Shape::Str, "The variable that has its text."),
        key("file", Shape::Str, "The file that has its text."),
        key("external", OPEN_EXTERNAL, "Whether somebody else makes and removes it."),
        key("labels", ENTRIES, "Labels of the config."),
        key("template_driver", Shape::Str, "What fills in its text."),
    ],
    extensions: true,
};

pub(super) static MODEL: Record = Record {
    name: "model",
    fields: &[
        key("name", Shape::Str, "What it is called."),
        Field::required("model", Shape::Str, "The artifact that has it."),
        key("context_size", INT, "How many tokens it looks at."),
        key("runtime_flags", TEXTS, "Arguments of the program that runs it."),
    ],
    extensions: true,
};
