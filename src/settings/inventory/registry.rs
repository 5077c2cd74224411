//! `registries`: who we are to the registries that images come from.
//!
//! A password is named here and never written: it comes from a variable or a file of the machine
//! that runs gitdeploy.

use super::endpoint::Location;
use crate::diag::Diagnostic;
use crate::settings::placed::text;
use crate::shape::Format;
use crate::yaml::Item;

/// A login for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The user.
    pub username: String,
    /// Where the password is.
    pub password: PasswordSource,
}

/// Where a password is, on the machine that runs gitdeploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The first line of a file.
    File(Location),
    /// A variable of the environment.
    Variable(String),
}

pub(super) const SERVER: Format =
    Format { name: "registry", example: "registry.example.com:5000", check: server };

pub(super) const PASSWORD_FILE: Format = Format {
    name: "path of a file outside the repository",
    example: "~/.config/registry-password",
    check: |text| match text.starts_with('/') || text.starts_with("~/") {
        true => Ok(()),
        false => Err("a password does not belong into the repository".into()),
    },
};

pub(super) const VARIABLE: Format = Format {
    name: "name of a variable",
    example: "REGISTRY_PASSWORD",
    check: |text| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match !text.is_empty() && text.chars().all(is_word) && !text.starts_with(char::is_numeric) {
            true => Ok(()),
            false => Err("it has letters, digits and `_`".into()),
        }
    },
};

impl Registry {
    /// Reads the entry of `server`, whose shape has been checked. `None` when something is missing.
    pub(super) fn read(
        server: &str,
        item: &Item,
        inventory: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let username = text(&item.node, "username")?.value;
        let file = text(&item.node, "password_file");
        let variable = text(&item.node, "password_env");
        let password = match (file, variable) {
            (Some(file), None) => PasswordSource::File(Location::of(&file.value, inventory)),
            (None, Some(variable)) => PasswordSource::Variable(variable.value),
            (file, _) => {
                let message = format!("the login for `{server}` needs one password");
                let span = file.map_or(item.key, |file| file.span);
                problems.push(
                    Diagnostic::error("inventory/registry-password", message)
                        .at(span)
                        .help("name it with `password_env` or with `password_file`, not with both"),
                );
                return None;
            }
        };
        Some(Self { username, password })
    }
}

/// As images name it: a host, perhaps with a port.
fn server(text: &str) -> Result<(), String> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("leave out `{scheme}://`"));
    }
    if text.contains('/') {
        return Err("it is a host without a path".into());
    }
    if text == "index.docker.io" {
        return Err("it is called `docker.io` in the names of images".into());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let is_host = text == "localhost" || text.contains(['.', ':']);
    match is_host && text.chars().all(is_part) {
        true => Ok(()),
        false => Err("it is a host, perhaps with a port".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_named_as_images_name_them() {
        for text in ["docker.io", "localhost", "r.example.com", "10.0.0.1:5000", "[::1]:5000"] {
            assert_eq!(server(text), Ok(()), "{text}");
        }
        for text in ["https://r.example.com", "r.example.com/team", "index.docker.io", "team", ""] {
            assert!(server(text).is_err(), "{text}");
        }
    }
}
