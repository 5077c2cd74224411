//! A name in a file.

use crate::model::Name;
use crate::shape::Format;

/// A [`Name`] in a file.
pub(super) const NAME: Format =
    Format { name: "name", example: "web-1", check: |text| Name::parse(text).map(drop) };
