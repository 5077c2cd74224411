//! Command lines given as one string, split into words as a shell would.
//!
//! Only quotes and backslashes mean something. Variables, `$(…)` and backticks stay as written,
//! but must be closed. An operator such as `;` or `|` ends the command, for there is no shell to
//! act on it: what follows is dropped, and [`ShellWords::dropped`] says so.

use std::ops::Range;

use thiserror::Error;

use super::Fault;

/// The words of a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellWords {
    /// Program and arguments, unquoted.
    pub words: Vec<String>,
    /// From the operator that ended the command to the end of the text.
    pub dropped: Option<Range<usize>>,
}

/// Why a text is not a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShellWordsProblem {
    /// A quote, backtick or `$(` is never closed.
    #[error("`{opening}` is never closed")]
    Unclosed {
        /// As written.
        opening: &'static str,
    },
    /// A parenthesis stands where it has no meaning.
    #[error("`{parenthesis}` must be quoted")]
    Parenthesis {
        /// As written.
        parenthesis: char,
    },
    /// The last backslash has nothing to escape.
    #[error("nothing follows the backslash")]
    LoneBackslash,
}

/// Splits `text` into words.
pub fn shell_words(text: &str) -> Result<ShellWords, Fault<ShellWordsProblem>> {
    let mut splitter = Splitter::default();
    for (at, ch) in text.char_indices() {
        if splitter.take(at, ch)? == Next::Stop {
            splitter.dropped = Some(at..text.len());
            break;
        }
    }
    splitter.finish()
}

/// Where the quotes and the like that are open now were opened. Several can be at once: quotes
/// still open and close within backticks.
#[derive(Default)]
struct Open {
    escape: Option<usize>,
    double: Option<usize>,
    single: Option<usize>,
    backtick: Option<usize>,
    dollar: Option<usize>,
}

impl Open {
    fn any_quote(&self) -> bool {
        [self.double, self.single, self.backtick, self.dollar].iter().any(Option::is_some)
    }

    fn first(&self) -> Option<Fault<ShellWordsProblem>> {
        let unclosed = |at: Option<usize>, opening: &'static str| {
            let kind = ShellWordsProblem::Unclosed { opening };
            at.map(|at| Fault::new(kind, at..at + opening.len()))
        };
        unclosed(self.single, "'")
            .or_else(|| unclosed(self.double, "\""))
            .or_else(|| unclosed(self.backtick, "`"))
            .or_else(|| unclosed(self.dollar, "$("))
            .or_else(|| {
                self.escape.map(|at| Fault::new(ShellWordsProblem::LoneBackslash, at..at + 1))
            })
    }
}

#[derive(PartialEq)]
enum Next {
    Go,
    Stop,
}

#[derive(Default)]
struct Splitter {
    words: Vec<String>,
    word: String,
    /// Whether there is a word, be it an empty one.
    has_word: bool,
    open: Open,
    dropped: Option<Range<usize>>,
}

impl Splitter {
    fn take(&mut self, at: usize, ch: char) -> Result<Next, Fault<ShellWordsProblem>> {
        if self.open.escape.take().is_some() {
            self.push(match ch {
                't' => '\t',
                'n' => '\n',
                _ => ch,
            });
            return Ok(Next::Go);
        }
        let Open { double, single, backtick, dollar, .. } = self.open;
        match ch {
            '\\' if single.is_none() => self.open.escape = Some(at),
            // Within quotes a space belongs to the word without making one: `"` must close first.
            ' ' | '\t' | '\r' | '\n' if self.open.any_quote() => self.word.push(ch),
            ' ' | '\t' | '\r' | '\n' => self.end_word(),
            '`' if single.is_none() && double.is_none() && dollar.is_none() => {
                toggle(&mut self.open.backtick, at);
                self.push(ch);
            }
            ')' if single.is_none() && double.is_none() && backtick.is_none() => {
                self.close_parenthesis(at)?;
            }
            '(' if single.is_none() && double.is_none() && backtick.is_none() => {
                self.open_parenthesis(at)?;
            }
            '"' if single.is_none() && dollar.is_none() => {
                self.has_word |= double.is_some();
                toggle(&mut self.open.double, at);
            }
            '\'' if double.is_none() && dollar.is_none() => {
                self.has_word |= single.is_some();
                toggle(&mut self.open.single, at);
            }
            ';' | '&' | '|' | '<' | '>' if !self.open.any_quote() => {
                // The digit of `2>` names a stream and is no word.
                let is_stream = ch == '>' && self.word.starts_with(|ch: char| ch.is_ascii_digit());
                self.has_word &= !is_stream;
                return Ok(Next::Stop);
            }
            _ => self.push(ch),
        }
        Ok(Next::Go)
    }

    fn push(&mut self, ch: char) {
        self.word.push(ch);
        self.has_word = true;
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.has_word) {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn open_parenthesis(&mut self, at: usize) -> Result<(), Fault<ShellWordsProblem>> {
        if self.open.dollar.is_some() || !self.word.ends_with('$') {
            let kind = ShellWordsProblem::Parenthesis { parenthesis: '(' };
            return Err(Fault::new(kind, at..at + 1));
        }
        self.open.dollar = Some(at - 1);
        self.word.push('(');
        Ok(())
    }

    fn close_parenthesis(&mut self, at: usize) -> Result<(), Fault<ShellWordsProblem>> {
        if self.open.dollar.take().is_none() {
            let kind = ShellWordsProblem::Parenthesis { parenthesis: ')' };
            return Err(Fault::new(kind, at..at + 1));
        }
        self.push(')');
        Ok(())
    }

    fn finish(mut self) -> Result<ShellWords, Fault<ShellWordsProblem>> {
        if let Some(fault) = self.open.first() {
            return Err(fault);
        }
        self.end_word();
        Ok(ShellWords { words: self.words, dropped: self.dropped })
    }
}

fn toggle(quote: &mut Option<usize>, at: usize) {
    *quote = match quote {
        Some(_) => None,
        None => Some(at),
    };
}

#[cfg(test)]
mod tests;
