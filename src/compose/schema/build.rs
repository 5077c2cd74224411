//! `build`: how the image of a service is made.

use crate::shape::{Record, Shape};

use super::common::{
    BOOL, ENTRIES, EXTRA_HOSTS, FILE_MOUNTS, INTEGER, STRING_OR_LIST, TEXTS, ULIMITS, key,
};

pub(super) const BUILD: Shape = Shape::OneOf(&[Shape::Str, Shape::Record(&BUILD_RECORD)]);

const STR_OR_BOOL: Shape = Shape::OneOf(&[Shape::Str, Shape::Bool]);

static BUILD_RECORD: Record = Record {
    name: "build",
    fields: &[
        key("context", Shape::Str, "The directory or URL to build from."),
        key("dockerfile", Shape::Str, "The Dockerfile, seen from the context."),
        key("dockerfile_inline", Shape::Str, "The text of the Dockerfile."),
        key("entitlements", TEXTS, "Extra rights of the build."),
        key("args", ENTRIES, "Variables of the Dockerfile."),
        key("ssh", ENTRIES, "SSH agents and keys the build may use."),
        key("labels", ENTRIES, "Labels of the image."),
        key("cache_from", TEXTS, "Where cached layers come from."),
        key("cache_to", TEXTS, "Where layers are cached."),
        key("no_cache", BOOL, "Whether cached layers are ignored."),
        key("no_cache_filter", STRING_OR_LIST, "Stages whose cached layers are ignored."),
        key("additional_contexts", ENTRIES, "Further directories, images or services by name."),
        key("network", Shape::Str, "The network that `RUN` sees."),
        key("provenance", STR_OR_BOOL, "Whether an attestation of provenance is added."),
        key("sbom", STR_OR_BOOL, "Whether a bill of materials is added."),
        key("pull", BOOL, "Whether base images are pulled anew."),
        key("target", Shape::Str, "The stage that is built."),
        key("shm_size", INTEGER, "The size of `/dev/shm`."),
        key("extra_hosts", EXTRA_HOSTS, "Addresses of hosts during the build."),
        key("isolation", Shape::Str, "How containers of the build are kept apart."),
        key("privileged", BOOL, "Whether the build runs with all rights."),
        key("secrets", FILE_MOUNTS, "Secrets that `RUN` can mount."),
        key("tags", TEXTS, "Further names of the image."),
        key("ulimits", ULIMITS, "Limits of processes of the build."),
        key("platforms", TEXTS, "What the image is built for."),
    ],
    extensions: true,
};
