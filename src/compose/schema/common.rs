//! Shapes that several attributes share.

use crate::shape::{Field, Format, List, MapOf, Record, Shape};

/// An attribute that may be left out.
pub(super) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field::optional(name, shape, doc)
}

/// A whole number of any size.
pub(super) const INT: Shape = Shape::Integral { min: i64::MIN, max: i64::MAX };

pub(super) const BOOL: Shape = Shape::OneOf(&[Shape::Bool, Shape::Str]);
pub(super) const INTEGER: Shape = Shape::OneOf(&[INT, Shape::Str]);
pub(super) const NUMBER: Shape = Shape::OneOf(&[Shape::Number, Shape::Str]);

/// Strings, of which no two are equal.
pub(super) const STRINGS: Shape = Shape::List(&List { item: Shape::Str, min: 0, unique: true });

/// Strings.
pub(super) const TEXTS: Shape = Shape::List(&List { item: Shape::Str, min: 0, unique: false });

pub(super) const STRING_OR_LIST: Shape = Shape::OneOf(&[Shape::Str, STRINGS]);

const SCALAR: Shape = Shape::OneOf(&[Shape::Str, Shape::Number, Shape::Bool, Shape::Null]);

/// `KEY: VALUE` or `- KEY=VALUE`.
pub(super) const ENTRIES: Shape = Shape::OneOf(&[
    Shape::Map(&MapOf { key: Some(&KEY), value: SCALAR, extensions: false }),
    STRINGS,
]);

/// Options of a driver.
pub(super) const DRIVER_OPTIONS: Shape = Shape::Map(&MapOf {
    key: None,
    value: Shape::OneOf(&[Shape::Str, Shape::Number]),
    extensions: false,
});

pub(super) const COMMAND: Shape = Shape::OneOf(&[Shape::Null, Shape::Str, TEXTS]);

pub(super) const EXTRA_HOSTS: Shape = Shape::OneOf(&[
    Shape::Map(&MapOf {
        key: Some(&KEY),
        value: Shape::OneOf(&[Shape::Str, TEXTS]),
        extensions: false,
    }),
    STRINGS,
]);

pub(super) const ULIMITS: Shape = Shape::Map(&MapOf {
    key: None,
    value: Shape::OneOf(&[INT, Shape::Str, Shape::Record(&ULIMIT)]),
    extensions: true,
});

static ULIMIT: Record = Record {
    name: "ulimit",
    fields: &[
        Field::required("soft", INTEGER, "The limit that is in force."),
        Field::required("hard", INTEGER, "How far the process may raise it."),
    ],
    extensions: true,
};

/// Secrets or configs that a service is given.
pub(super) const FILE_MOUNTS: Shape = Shape::List(&List {
    item: Shape::OneOf(&[Shape::Str, Shape::Record(&FILE_MOUNT)]),
    min: 0,
    unique: false,
});

static FILE_MOUNT: Record = Record {
    name: "file mount",
    fields: &[
        key("source", Shape::Str, "The name it has at the top level."),
        key("target", Shape::Str, "The path in the container."),
        key("uid", Shape::Str, "The user that owns it."),
        key("gid", Shape::Str, "The group that owns it."),
        key("mode", NUMBER, "Who may read it, in octal."),
    ],
    extensions: true,
};

/// Names of services and resources.
pub(super) static NAME: Format = Format {
    name: "name",
    example: "web-1",
    check: |text| match text.chars().find(|c| !is_name(*c)) {
        None if text.is_empty() => Err("it is empty".to_owned()),
        None => Ok(()),
        Some(c) => Err(format!("`{}` cannot stand in it", c.escape_debug())),
    },
};

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Keys of which there must be something.
pub(super) static KEY: Format = Format {
    name: "key",
    example: "KEY",
    check: |text| if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) },
};

/// Requests for devices such as GPUs.
pub(super) static DEVICE_REQUEST: Record = device_request(&[
    Field::required("capabilities", STRINGS, "What the device must be able to do."),
    key("count", INTEGER, "How many; `all` for every one."),
    key("device_ids", STRINGS, "Which ones, in place of `count`."),
    key("driver", Shape::Str, "The driver of the device."),
    key("options", ENTRIES, "Options of the driver."),
]);

/// The same where GPUs are understood.
pub(super) static GPU_REQUEST: Record = device_request(&[
    key("capabilities", STRINGS, "What the device must be able to do."),
    key("count", INTEGER, "How many; `all` for every one."),
    key("device_ids", STRINGS, "Which ones, in place of `count`."),
    key("driver", Shape::Str, "The driver of the device."),
    key("options", ENTRIES, "Options of the driver."),
]);

const fn device_request(fields: &'static [Field]) -> Record {
    Record { name: "device request", fields, extensions: true }
}

/// Steps that run in a container that is starting or stopping.
pub(super) static HOOK: Record = Record {
    name: "hook",
    fields: &[
        Field::required("command", COMMAND, "What is run."),
        key("user", Shape::Str, "Who runs it."),
        key("privileged", BOOL, "Whether it runs with all rights."),
        key("working_dir", Shape::Str, "Where it runs."),
        key("environment", ENTRIES, "Variables it sees beside those of the service."),
    ],
    extensions: true,
};
