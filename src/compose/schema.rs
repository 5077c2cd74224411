//! What a Compose file may contain, before short forms become long ones.
//!
//! The tables follow the Compose specification's schema: what it lets in is let in here, even
//! where a later stage has to refuse it.

mod build;
mod common;
mod deploy;
mod mounts;
mod resources;
mod service;

use crate::shape::{Field, List, MapOf, Record, Shape};

use self::common::{NAME, STRING_OR_LIST};

/// A whole Compose file.
pub(super) static PROJECT: Shape = Shape::Record(&FILE);

/// The record of a whole Compose file.
pub static FILE: Record = Record {
    name: "Compose file",
    fields: &[
        Field::optional("version", Shape::Str, "Has no meaning any more."),
        Field::optional("name", Shape::Str, "The name of the project."),
        Field::optional(
            "include",
            Shape::List(&List { item: INCLUDE, min: 0, unique: false }),
            "Other projects whose resources become part of this one.",
        ),
        Field::optional(
            "services",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&service::SERVICE),
                extensions: false,
            }),
            "The containers to run, by the name other services reach them under.",
        ),
        Field::optional(
            "models",
            Shape::Map(&MapOf {
                key: None,
                value: Shape::Record(&resources::MODEL),
                extensions: true,
            }),
            "Language models that services use.",
        ),
        Field::optional(
            "networks",
            Shape::Map(&MapOf { key: None, value: resources::NETWORK, extensions: false }),
            "Networks that services are reachable in.",
        ),
        Field::optional(
            "volumes",
            Shape::Map(&MapOf { key: Some(&NAME), value: resources::VOLUME, extensions: false }),
            "Storage that outlives containers.",
        ),
        Field::optional(
            "secrets",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&resources::SECRET),
                extensions: false,
            }),
            "Confidential files for services.",
        ),
        Field::optional(
            "configs",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::Record(&resources::CONFIG),
                extensions: false,
            }),
            "Configuration files for services.",
        ),
    ],
    extensions: true,
};

const INCLUDE: Shape = Shape::OneOf(&[
    Shape::Str,
    Shape::Record(&Record {
        name: "include",
        fields: &[
            Field::optional("path", STRING_OR_LIST, "The file, and files laid over it."),
            Field::optional("env_file", STRING_OR_LIST, "Variables for the included files."),
            Field::optional(
                "project_directory",
                Shape::Str,
                "The directory that relative paths of the included files start from.",
            ),
        ],
        extensions: false,
    }),
]);
