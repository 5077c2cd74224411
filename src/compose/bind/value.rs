//! Numbers, booleans, sizes and the other single values.

use crate::yaml::{Node, Value};

use super::super::forms;
use super::{Binder, Bound};

impl Binder<'_> {
    pub(super) fn boolean(&mut self, node: &Node) -> Value {
        match &node.value {
            Value::Bool(flag) => Value::Bool(*flag),
            Value::Str(text) => match forms::boolean(text) {
                Ok(flag) => Value::Bool(flag.value),
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, &fault);
                    Value::Null
                }
            },
            _ => {
                self.wrong_kind(node, "`true` or `false`");
                Value::Null
            }
        }
    }

    /// Fractions are dropped: the schema lets them in, and the reference goes on without.
    pub(super) fn integer(&mut self, node: &Node) -> i64 {
        match &node.value {
            Value::Int(number) => *number,
            #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, as is wanted")]
            Value::Float(number) => *number as i64,
            Value::Str(text) => forms::integer(text).unwrap_or_else(|fault| {
                self.bad_text(node.span, text, &fault.range, &fault);
                0
            }),
            _ => {
                self.wrong_kind(node, "a whole number");
                0
            }
        }
    }

    pub(super) fn unsigned(&mut self, node: &Node, bits: u32) -> Value {
        if let Value::Str(text) = &node.value {
            let text = super::super::substitute::excerpt(text);
            self.bad_value(node.span, format!("`{text}` must be a whole number without quotes"));
            return Value::Null;
        }
        let number = self.integer(node);
        let limit = if bits < 63 { (1_i64 << bits) - 1 } else { i64::MAX };
        if !(0..=limit).contains(&number) {
            self.bad_value(node.span, format!("{number} is not between 0 and {limit}"));
        }
        Value::Int(number)
    }

    /// In single precision, written with the digits that single precision has.
    pub(super) fn float(&mut self, node: &Node) -> Value {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "wanted")]
        let number = match &node.value {
            Value::Int(number) => *number as f32,
            Value::Float(number) => *number as f32,
            Value::Str(text) => match forms::float32(text) {
                Ok(number) => number,
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, &fault);
                    return Value::Null;
                }
            },
            _ => {
                self.wrong_kind(node, "a number");
                return Value::Null;
            }
        };
        if !number.is_finite() {
            self.bad_value(node.span, "the number is too large");
            return Value::Null;
        }
        Value::Float(forms::json_float32(number).parse().unwrap_or(f64::from(number)))
    }

    pub(super) fn bytes(&mut self, node: &Node) -> Bound {
        let bytes = match &node.value {
            Value::Int(number) => *number,
            Value::Str(text) => match forms::size(text) {
                Ok(bytes) => bytes.0,
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, &fault);
                    0
                }
            },
            // A fraction of a byte counts as nothing at all to the reference.
            Value::Float(_) => 0,
            _ => {
                self.wrong_kind(node, "a size");
                0
            }
        };
        Bound { value: Value::Str(bytes.to_string()), is_zero: bytes == 0 }
    }

    pub(super) fn duration(&mut self, node: &Node) -> Bound {
        let text = super::super::go::print(node);
        match forms::duration(&text) {
            Ok(duration) => {
                Bound { value: Value::Str(duration.to_string()), is_zero: duration.nanos() == 0 }
            }
            Err(fault) => {
                self.bad_text(node.span, &text, &fault.range, &fault);
                Bound::new(Value::Null)
            }
        }
    }

    pub(super) fn mode(&mut self, node: &Node) -> Value {
        match &node.value {
            Value::Int(number) => Value::Str(forms::FileMode(*number).to_string()),
            Value::Str(text) => match forms::file_mode(text) {
                Ok(mode) => Value::Str(mode.to_string()),
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, &fault);
                    Value::Null
                }
            },
            _ => {
                self.wrong_kind(node, "an octal number");
                Value::Null
            }
        }
    }

    pub(super) fn count(&mut self, node: &Node) -> Value {
        match &node.value {
            Value::Int(number) => Value::Int(*number),
            Value::Str(text) if text.eq_ignore_ascii_case("all") => Value::Int(-1),
            Value::Str(text) => match forms::integer(text) {
                Ok(number) => Value::Int(number),
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, "neither a number nor `all`");
                    Value::Null
                }
            },
            _ => {
                self.wrong_kind(node, "a whole number or `all`");
                Value::Null
            }
        }
    }
}
