//! What a file may contain, said once, as data.
//!
//! A [`Shape`] describes the values of a YAML file: which keys, which kinds, in words. From the
//! same tables come the check with its `did you mean`, the JSON Schema for editors and the
//! reference pages, so the three cannot disagree.

mod check;
mod reference;
mod schema;

pub use check::check;
pub use reference::reference;
pub use schema::json_schema;

/// The values allowed in one place.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything at all.
    Any,
    /// `null` or nothing.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`.
    Int {
        /// The smallest that is allowed.
        min: i64,
        /// The largest that is allowed.
        max: i64,
    },
    /// A whole number from `min` to `max`, which may be written as `2.0` or `1e3`.
    Integral {
        /// The smallest that is allowed.
        min: i64,
        /// The largest that is allowed.
        max: i64,
    },
    /// Any number.
    Number,
    /// Any string.
    Str,
    /// A string of a known form.
    Text(&'static Format),
    /// One of a few strings.
    Enum(&'static [&'static str]),
    /// A list.
    List(&'static List),
    /// A mapping with keys of the user's choice.
    Map(&'static MapOf),
    /// A mapping with known keys.
    Record(&'static Record),
    /// A mapping of which only some keys are known; the others may hold anything.
    Open(&'static Record),
    /// The first of several shapes that takes the kind of value found.
    OneOf(&'static [Self]),
}

/// A whole number of any size.
pub const INT: Shape = Shape::Int { min: i64::MIN, max: i64::MAX };

/// A form that a string must have.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What it is called: "duration".
    pub name: &'static str,
    /// An example that is valid: "1m30s".
    pub example: &'static str,
    /// Says what is wrong with a string, as the rest of "`x` is no duration: …".
    pub check: fn(&str) -> Result<(), String>,
}

/// A list of one shape.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// What each item is.
    pub item: Shape,
    /// The fewest items.
    pub min: usize,
    /// Whether no two items may be equal.
    pub unique: bool,
}

/// A mapping from names to one shape.
#[derive(Debug, Clone, Copy)]
pub struct MapOf {
    /// What a key must look like.
    pub key: Option<&'static Format>,
    /// What each value is.
    pub value: Shape,
    /// Whether `x-` keys may hold anything.
    pub extensions: bool,
}

/// A mapping with known keys.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// What it is called, in the singular: "health".
    pub name: &'static str,
    /// The keys, in the order they are documented.
    pub fields: &'static [Field],
    /// Whether `x-` keys may hold anything.
    pub extensions: bool,
}

/// One key of a [`Record`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value is.
    pub shape: Shape,
    /// Whether the record is wrong without it.
    pub required: bool,
    /// The value it has when it is left out, as the user would write it; empty for none.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl Field {
    /// A key that may be left out.
    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, default: "", doc }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, default: "", doc }
    }

    /// A key with a value of its own when it is left out.
    pub const fn defaulting(
        name: &'static str,
        shape: Shape,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, shape, required: false, default, doc }
    }
}

impl Record {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Shape {
    /// The kind of value in words: "a string", "a list of strings".
    pub fn words(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Null => "null".into(),
            Self::Bool => "`true` or `false`".into(),
            Self::Int { min: 0.., .. } | Self::Integral { min: 0.., .. } => {
                "a whole number of 0 or more".into()
            }
            Self::Int { .. } | Self::Integral { .. } => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Str => "a string".into(),
            Self::Text(format) => format!("a {}", format.name),
            Self::Enum(words) => one_of(words),
            Self::List(list) => match list.item {
                Self::Any | Self::OneOf(_) => "a list".into(),
                item => format!("a list ({} each)", item.words()),
            },
            Self::Map(_) | Self::Record(_) | Self::Open(_) => "a mapping".into(),
            Self::OneOf(shapes) => {
                let mut words: Vec<String> = shapes
                    .iter()
                    .filter(|shape| !matches!(shape, Self::Null))
                    .map(Self::words)
                    .collect();
                words.dedup();
                words.join(" or ")
            }
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}
