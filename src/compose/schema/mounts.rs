//! `volumes` and `ports` of a service.

use crate::shape::{Field, List, Record, Shape};

use super::common::{BOOL, ENTRIES, INT, INTEGER, NUMBER, key};

pub(super) const VOLUMES: Shape = Shape::List(&List {
    item: Shape::OneOf(&[Shape::Str, Shape::Record(&MOUNT)]),
    min: 0,
    unique: true,
});

static MOUNT: Record = Record {
    name: "mount",
    fields: &[
        Field::required(
            "type",
            Shape::Enum(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
            "What is mounted.",
        ),
        key("source", Shape::Str, "The path, volume or image."),
        key("target", Shape::Str, "The path in the container."),
        key("read_only", BOOL, "Whether writing is refused."),
        key("consistency", Shape::Str, "How strictly both sides must agree."),
        key("bind", Shape::Record(&BIND), "More on a bind."),
        key("volume", Shape::Record(&VOLUME), "More on a volume."),
        key("tmpfs", Shape::Record(&TMPFS), "More on a tmpfs."),
        key("image", Shape::Record(&IMAGE), "More on an image."),
    ],
    extensions: true,
};

static BIND: Record = Record {
    name: "bind",
    fields: &[
        key("propagation", Shape::Str, "How mounts below it show up on the other side."),
        key("create_host_path", BOOL, "Whether a missing directory is made."),
        key(
            "recursive",
            Shape::Enum(&["enabled", "disabled", "writable", "readonly"]),
            "What happens to mounts below it.",
        ),
        key("selinux", Shape::Enum(&["z", "Z"]), "Who may read it: all containers, or this one."),
    ],
    extensions: true,
};

static VOLUME: Record = Record {
    name: "volume options",
    fields: &[
        key("labels", ENTRIES, "Labels of the volume."),
        key("nocopy", BOOL, "Whether a new volume starts empty."),
        key("subpath", Shape::Str, "The path in the volume."),
    ],
    extensions: true,
};

static TMPFS: Record = Record {
    name: "tmpfs options",
    fields: &[
        key(
            "size",
            Shape::OneOf(&[Shape::Integral { min: 0, max: i64::MAX }, Shape::Str]),
            "How large it may grow.",
        ),
        key("mode", NUMBER, "Who may use it, in octal."),
    ],
    extensions: true,
};

static IMAGE: Record = Record {
    name: "image options",
    fields: &[key("subpath", Shape::Str, "The path in the image.")],
    extensions: true,
};

pub(super) const PORTS: Shape = Shape::List(&List {
    item: Shape::OneOf(&[Shape::Number, Shape::Str, Shape::Record(&PORT)]),
    min: 0,
    unique: true,
});

static PORT: Record = Record {
    name: "port",
    fields: &[
        key("name", Shape::Str, "What it is for."),
        key("mode", Shape::Str, "`host` or `ingress`."),
        key("host_ip", Shape::Str, "The address of the host it is bound to."),
        key("target", INTEGER, "The port in the container."),
        key("published", Shape::OneOf(&[Shape::Str, INT]), "The port on the host, or a range."),
        key("protocol", Shape::Str, "`tcp` or `udp`."),
        key("app_protocol", Shape::Str, "What is spoken above that."),
    ],
    extensions: true,
};
