//! Volumes in their short form: `data:/var/lib/db:ro`, `./conf:/etc/app`, `/cache`.
//!
//! The text is read without knowing the platform it will run on, so a single letter before a
//! colon is always the drive of a Windows path.

use std::ops::Range;

use thiserror::Error;

use super::Fault;
use crate::files;

/// A mount as the short form can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Whether the source is a path or the name of a volume.
    pub kind: MountKind,
    /// The path or name; `None` for an anonymous volume.
    pub source: Option<String>,
    /// The path in the container, cleaned; `None` only when an unclosed `${` swallowed it.
    pub target: Option<String>,
    /// Set by `ro`.
    pub read_only: bool,
    /// Present on every bind, and on a volume that was given an option of binds.
    pub bind: Option<BindOptions>,
    /// Present on every volume, and on a bind with `nocopy`; not on a target of one or two bytes,
    /// which the reference does not look into.
    pub volume: Option<VolumeOptions>,
    /// Options without a meaning, which are passed over; `cached` and its like are not among them.
    pub ignored: Vec<Range<usize>>,
}

/// What the source of a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A path on the host.
    Bind,
    /// A volume, named or anonymous.
    Volume,
}

impl MountKind {
    /// Its name in the canonical model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
        }
    }
}

/// Options of a bind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// How mounts below the source show up on the other side.
    pub propagation: Option<Propagation>,
    /// The label put on the source.
    pub selinux: Option<SeLinux>,
    /// Whether a missing source is created; so on every bind in the short form.
    pub create_host_path: bool,
}

/// Options of a volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VolumeOptions {
    /// Set by `nocopy`: a new volume does not take over what the image has there.
    pub nocopy: bool,
}

/// How mounts below the source show up on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's own words")]
pub enum Propagation {
    Private,
    RPrivate,
    Shared,
    RShared,
    Slave,
    RSlave,
}

impl Propagation {
    const ALL: [Self; 6] =
        [Self::Private, Self::RPrivate, Self::Shared, Self::RShared, Self::Slave, Self::RSlave];

    /// Its name in the canonical model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::RPrivate => "rprivate",
            Self::Shared => "shared",
            Self::RShared => "rshared",
            Self::Slave => "slave",
            Self::RSlave => "rslave",
        }
    }
}

/// Who may read a source under SELinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeLinux {
    /// `z`: all containers.
    Shared,
    /// `Z`: this container.
    Private,
}

impl SeLinux {
    /// Its name in the canonical model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "z",
            Self::Private => "Z",
        }
    }
}

/// Why a text is not a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VolumeProblem {
    /// There is nothing.
    #[error("the volume is empty")]
    Empty,
    /// Nothing stands before, between or after colons.
    #[error("nothing stands here: expected `[source:]target[:options]`")]
    EmptySection,
    /// There are more than three parts.
    #[error("too many colons: expected `[source:]target[:options]`")]
    TooManyColons,
}

type Result<T> = std::result::Result<T, Fault<VolumeProblem>>;

/// Reads `[source:]target[:options]`.
pub fn volume(text: &str) -> Result<Mount> {
    match text.len() {
        0 => return Err(Fault::new(VolumeProblem::Empty, 0..0)),
        1 | 2 => return Ok(tiny(text)),
        _ => {}
    }
    let mut draft = Draft { text, source: "", target: "", options: Options::default() };
    for section in sections(text) {
        draft.take(&section)?;
    }
    Ok(draft.finish())
}

fn tiny(text: &str) -> Mount {
    Mount {
        kind: MountKind::Volume,
        source: None,
        target: Some(clean(text)),
        read_only: false,
        bind: None,
        volume: None,
        ignored: Vec::new(),
    }
}

/// A part between colons.
struct Section {
    range: Range<usize>,
    /// Whether the text ends after it.
    is_last: bool,
}

/// Splits at colons, except after a drive letter and within `${…}`.
///
/// A part in which a `${` is never closed is dropped, and a NUL ends a part as the end of the text
/// does: both as in the reference.
fn sections(text: &str) -> Vec<Section> {
    let mut found = Vec::new();
    let (mut start, mut open) = (0, 0_usize);
    for (at, ch) in text.char_indices().chain([(text.len(), '\0')]) {
        if ch == '$' && text[at + 1..].starts_with('{') {
            open += 1;
        } else if ch == '}' && open > 0 {
            open -= 1;
        } else if open == 0 && (ch == '\0' || (ch == ':' && !is_drive(&text[start..at]))) {
            found.push(Section { range: start..at, is_last: ch == '\0' });
            start = at + 1;
        }
    }
    found
}

fn is_drive(section: &str) -> bool {
    let mut chars = section.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

#[derive(Default)]
struct Options {
    read_only: bool,
    bind: Option<BindOptions>,
    volume: Option<VolumeOptions>,
    ignored: Vec<Range<usize>>,
}

struct Draft<'t> {
    text: &'t str,
    source: &'t str,
    target: &'t str,
    options: Options,
}

impl Draft<'_> {
    fn take(&mut self, section: &Section) -> Result<()> {
        let range = section.range.clone();
        let text = &self.text[range.clone()];
        if text.is_empty() {
            return Err(Fault::new(VolumeProblem::EmptySection, range));
        }
        if self.source.is_empty() && section.is_last {
            self.target = text;
        } else if self.source.is_empty() {
            self.source = text;
        } else if self.target.is_empty() {
            self.target = text;
        } else if !section.is_last {
            return Err(Fault::new(VolumeProblem::TooManyColons, range.end..self.text.len()));
        } else {
            let mut start = range.start;
            for option in text.split(',') {
                self.options.set(option, start);
                start += option.len() + 1;
            }
        }
        Ok(())
    }

    fn finish(self) -> Mount {
        let Self { text: _, source, target, options } = self;
        let Options { read_only, mut bind, mut volume, ignored } = options;
        let kind = if is_path(source) { MountKind::Bind } else { MountKind::Volume };
        match kind {
            MountKind::Bind => bind.get_or_insert_default().create_host_path = true,
            MountKind::Volume => {
                volume.get_or_insert_default();
            }
        }
        let source = (!source.is_empty()).then(|| source.to_owned());
        let target = (!target.is_empty()).then(|| clean(target));
        Mount { kind, source, target, read_only, bind, volume, ignored }
    }
}

impl Options {
    fn set(&mut self, option: &str, start: usize) {
        if let Some(way) = Propagation::ALL.into_iter().find(|way| way.as_str() == option) {
            self.bind.get_or_insert_default().propagation = Some(way);
            return;
        }
        match option {
            "ro" => self.read_only = true,
            "rw" => self.read_only = false,
            "nocopy" => self.volume = Some(VolumeOptions { nocopy: true }),
            "z" => self.bind.get_or_insert_default().selinux = Some(SeLinux::Shared),
            "Z" => self.bind.get_or_insert_default().selinux = Some(SeLinux::Private),
            // Hints for a desktop of old. They have no effect, and warning of them helps nobody.
            "cached" | "delegated" | "consistent" => {}
            _ => self.ignored.push(start..start + option.len()),
        }
    }
}

/// Whether a source names a place on the host rather than a volume.
fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~'])
        || source.starts_with("\\\\")
        || source.split_once(':').is_some_and(|(drive, _)| is_drive(drive))
}

fn clean(target: &str) -> String {
    let cleaned = files::clean(target);
    if cleaned.is_empty() { ".".to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests;
