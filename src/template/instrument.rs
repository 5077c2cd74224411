//! Adds to a template's source what the engine has no hook for.
//!
//! Calls that count and measure are added always; markers that say where text came from only for
//! a second rendering, when somebody asks. What is added never holds a newline and never stands
//! where it would change what a `-` strips. [`Instrumented::original`] leads back.

use std::ops::Range;

use super::lexer::{Piece, PieceKind, Sides, Token, TokenKind, pieces, tokens};
use super::limits::OPERATORS_MAX;

/// The function that counts plain text.
pub(super) const COUNT: &str = "__gd_count";
/// The function that measures variables.
pub(super) const SIZES: &str = "__gd_sizes";
/// The function that tells what names there are at a place.
pub(super) const PROBE: &str = "__gd_probe";
/// Plain text shorter than this is not worth a call: the limit on steps bounds it well enough.
const COUNTED_BYTES_MIN: usize = 32;

/// What a source is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'p> {
    /// The rendering itself.
    Render,
    /// Finding out where text came from.
    Mark { index: usize, reach: Reach },
    /// Asking what `base` has, or which names there are, ahead of the tag at `at`.
    Probe { at: usize, base: Option<&'p str> },
}

/// How far markers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Into macros, `call` and `set` blocks, whose text passes through expressions.
    Everywhere,
    /// Only into text that is written where it stands.
    Direct,
}

/// A source with additions.
#[derive(Debug)]
pub(super) struct Instrumented {
    /// The text for the engine.
    pub(super) text: String,
    inserts: Vec<Insert>,
}

#[derive(Debug)]
struct Insert {
    at: usize,
    text: String,
}

impl Instrumented {
    /// The place in the source that `offset` of the text came from.
    pub(super) fn original(&self, offset: usize) -> usize {
        let mut added = 0;
        for insert in &self.inserts {
            let start = insert.at + added;
            if offset < start {
                break;
            }
            if offset < start + insert.text.len() {
                return insert.at;
            }
            added += insert.text.len();
        }
        offset.saturating_sub(added)
    }
}

/// Prepares `source`.
pub(super) fn instrument(source: &str, purpose: Purpose<'_>) -> Instrumented {
    let mut writer = Writer { source, purpose, inserts: Vec::new(), quiet: Vec::new() };
    let all = pieces(source);
    for (index, piece) in all.iter().enumerate() {
        let text_before = index.checked_sub(1).and_then(|index| match &all[index].kind {
            PieceKind::Text { kept } => Some(kept.end),
            PieceKind::Raw { .. }
            | PieceKind::Expression { .. }
            | PieceKind::Statement { .. }
            | PieceKind::Comment { .. } => None,
        });
        writer.piece(piece, text_before.unwrap_or(piece.span.start));
    }
    let inserts = writer.inserts;
    let mut text = String::with_capacity(source.len() + 64 * inserts.len());
    let mut from = 0;
    for insert in &inserts {
        text.push_str(&source[from..insert.at]);
        text.push_str(&insert.text);
        from = insert.at;
    }
    text.push_str(&source[from..]);
    Instrumented { text, inserts }
}

struct Writer<'s> {
    source: &'s str,
    purpose: Purpose<'s>,
    inserts: Vec<Insert>,
    /// One entry for every open block whose text is captured: whether markers stay out of it.
    quiet: Vec<bool>,
}

impl Writer<'_> {
    fn insert(&mut self, at: usize, text: String) {
        // Whitespace control can move the end of a text behind an earlier addition at its start.
        let at = at.max(self.inserts.last().map_or(0, |last| last.at));
        self.inserts.push(Insert { at, text });
    }

    fn piece(&mut self, piece: &Piece, text_end: usize) {
        if let Purpose::Probe { at, base } = self.purpose
            && at == piece.span.start
        {
            self.insert(at, format!("{{{{{PROBE}({})}}}}", base.unwrap_or_default()));
        }
        match &piece.kind {
            PieceKind::Text { kept } => {
                self.count(kept.start, kept.len(), Sides::default());
                if !kept.is_empty() {
                    self.mark(kept.start, kept.start, Mark::Text);
                    self.mark_lines(kept.clone());
                }
            }
            PieceKind::Raw { kept, sides } => {
                self.count(text_end, kept.len(), *sides);
                if !kept.is_empty() {
                    self.mark(kept.start, kept.start, Mark::Text);
                }
            }
            PieceKind::Expression { .. } => self.mark(text_end, piece.span.start, Mark::Tag),
            PieceKind::Statement { keyword, rest, sides } => {
                self.statement(piece, text_end, keyword.clone(), rest.clone(), *sides);
            }
            PieceKind::Comment { .. } => {}
        }
    }

    fn count(&mut self, at: usize, bytes: usize, sides: Sides) {
        if bytes >= COUNTED_BYTES_MIN {
            let sign = if sides.before { "-" } else { "" };
            self.insert(at, format!("{{{{{sign} {COUNT}({bytes}) }}}}"));
        }
    }

    fn mark(&mut self, at: usize, place: usize, mark: Mark) {
        let Purpose::Mark { index, .. } = self.purpose else { return };
        if !self.quiet.contains(&true) {
            self.insert(at, marker(mark, index, place));
        }
    }

    /// Captured text may be indented later, so that every line needs a marker of its own. Blank
    /// lines must stay blank.
    fn mark_lines(&mut self, kept: Range<usize>) {
        if self.quiet.is_empty() {
            return;
        }
        let text = &self.source[kept.clone()];
        for (newline, _) in text.match_indices('\n') {
            let at = newline + 1;
            if !matches!(text.as_bytes().get(at), None | Some(b'\n' | b'\r')) {
                self.mark(kept.start + at, kept.start + at, Mark::Text);
            }
        }
    }

    fn statement(
        &mut self,
        piece: &Piece,
        text_end: usize,
        keyword: Range<usize>,
        rest: Range<usize>,
        sides: Sides,
    ) {
        let everywhere = matches!(self.purpose, Purpose::Mark { reach: Reach::Everywhere, .. });
        let words = tokens(self.source, rest.clone());
        match &self.source[keyword] {
            "include" => self.mark(text_end, piece.span.start, Mark::Tag),
            "filter" => {
                self.mark(text_end, piece.span.start, Mark::Tag);
                self.quiet.push(true);
            }
            "call" => {
                self.mark(text_end, piece.span.start, Mark::Tag);
                self.quiet.push(!everywhere);
                if words.first().is_some_and(|word| &self.source[word.span.clone()] == "(") {
                    self.sizes(piece.span.end, &self.parameters(&words), sides);
                }
            }
            "macro" => {
                self.quiet.push(!everywhere);
                self.sizes(piece.span.end, &self.parameters(&words), sides);
            }
            "set" => match self.sign_at_top(&words, "=") {
                Some(assign) => {
                    let target = self.source[rest.start..assign].trim().to_owned();
                    self.sizes(piece.span.end, &[&target], sides);
                }
                None => self.quiet.push(!everywhere),
            },
            "for" => {
                let target = words
                    .iter()
                    .find(|word| word.depth == 0 && &self.source[word.span.clone()] == "in")
                    .map(|word| self.source[rest.start..word.span.start].trim().to_owned());
                self.sizes(piece.span.end, target.as_slice(), sides);
            }
            "with" => self.sizes(piece.span.end, &self.assigned(&words), sides),
            "endmacro" | "endcall" | "endfilter" | "endset" => {
                self.quiet.pop();
            }
            _ => {}
        }
    }

    fn sizes(&mut self, at: usize, names: &[impl AsRef<str>], sides: Sides) {
        if names.is_empty() {
            return;
        }
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        // The call takes over what the tag before it would have stripped.
        let sign = if sides.after { "-" } else { "" };
        self.insert(at, format!("{{{{ {SIZES}({}) {sign}}}}}", names.join(", ")));
    }

    fn text(&self, token: &Token) -> &str {
        &self.source[token.span.clone()]
    }

    fn sign_at_top(&self, words: &[Token], sign: &str) -> Option<usize> {
        words
            .iter()
            .find(|word| word.depth == 0 && self.text(word) == sign)
            .map(|word| word.span.start)
    }

    /// The names between the first brackets, without their defaults.
    fn parameters(&self, words: &[Token]) -> Vec<String> {
        let open = words.iter().position(|word| self.text(word) == "(");
        let Some(open) = open else { return Vec::new() };
        words[open..]
            .windows(2)
            .take_while(|pair| !(pair[0].depth == 0 && self.text(&pair[0]) == ")"))
            .filter(|pair| {
                let is_start = pair[1].depth == 1 && matches!(self.text(&pair[0]), "(" | ",");
                is_start && pair[1].kind == TokenKind::Word
            })
            .map(|pair| self.text(&pair[1]).to_owned())
            .collect()
    }

    /// The names before each `=` of a `with`.
    fn assigned(&self, words: &[Token]) -> Vec<String> {
        words
            .windows(2)
            .filter(|pair| {
                pair[1].depth == 0
                    && self.text(&pair[1]) == "="
                    && pair[0].kind == TokenKind::Word
                    && pair[0].depth == 0
            })
            .map(|pair| self.text(&pair[0]).to_owned())
            .collect()
    }
}

/// The first tag with more operators than one expression may have.
pub(super) fn overlong_tag(source: &str) -> Option<Range<usize>> {
    pieces(source).into_iter().find_map(|piece| {
        if !matches!(piece.kind, PieceKind::Expression { .. } | PieceKind::Statement { .. }) {
            return None;
        }
        let weight: usize = tokens(source, piece.span.clone())
            .iter()
            .filter(|token| token.kind == TokenKind::Sign)
            .map(|token| match &source[token.span.clone()] {
                "~" | "+" => 1,
                "*" => 8,
                _ => 0,
            })
            .sum();
        (weight > OPERATORS_MAX).then_some(piece.span)
    })
}

/// The first `import` whose `as` is followed by anything but a name.
///
/// The engine reads any expression there, and panics on those that it cannot assign to.
pub(super) fn misnamed_import(source: &str) -> Option<Range<usize>> {
    pieces(source).into_iter().find_map(|piece| {
        let PieceKind::Statement { keyword, rest, .. } = &piece.kind else { return None };
        if &source[keyword.clone()] != "import" {
            return None;
        }
        let words = tokens(source, rest.clone());
        let text = |token: &Token| &source[token.span.clone()];
        let after = words.iter().position(|word| word.depth == 0 && text(word) == "as")? + 1;
        let is_named = words.get(after).is_some_and(|word| {
            let is_value =
                matches!(text(word), "true" | "True" | "false" | "False" | "none" | "None" | "not");
            word.kind == TokenKind::Word && !is_value
        });
        let is_alone = match words.get(after + 1..) {
            None | Some([]) => true,
            Some([with, context]) => {
                matches!(text(with), "with" | "without") && text(context) == "context"
            }
            Some(_) => false,
        };
        (!(is_named && is_alone)).then_some(piece.span)
    })
}

/// What a marker says about the text behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It stands in the template from this byte on.
    Text,
    /// It was made by the tag that begins at this byte.
    Tag,
}

// Private-use characters of plane 16: a start, then three digits to the base of 4096.
const TEXT: char = '\u{10F001}';
const TAG: char = '\u{10F002}';
const ZERO: u32 = 0x10_0000;
const BASE: u32 = 4096;

/// Whether `text` has characters that markers are made of.
pub(super) fn has_markers(text: &str) -> bool {
    text.chars().any(|c| digit(c).is_some() || c == TEXT || c == TAG)
}

fn digit(c: char) -> Option<usize> {
    let value = u32::from(c).checked_sub(ZERO)?;
    (value < BASE).then_some(value as usize)
}

fn marker(mark: Mark, index: usize, offset: usize) -> String {
    let base = BASE as usize;
    let start = match mark {
        Mark::Text => TEXT,
        Mark::Tag => TAG,
    };
    let digits = [index, offset / base, offset % base];
    let digits = digits.into_iter().filter_map(|digit| {
        u32::try_from(digit).ok().and_then(|digit| char::from_u32(ZERO + digit.min(BASE - 1)))
    });
    std::iter::once(start).chain(digits).collect()
}

/// A marker as read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// Where it stood, counted in text without markers.
    pub(super) at: usize,
    /// What it says.
    pub(super) mark: Mark,
    /// Which template.
    pub(super) index: usize,
    /// Which byte of it.
    pub(super) offset: usize,
}

/// Splits marked text into text and markers.
pub(super) fn unmark(marked: &str) -> (String, Vec<Marker>) {
    let mut text = String::with_capacity(marked.len());
    let mut markers = Vec::new();
    let mut chars = marked.chars();
    while let Some(c) = chars.next() {
        let mark = match c {
            TEXT => Mark::Text,
            TAG => Mark::Tag,
            c => {
                text.push(c);
                continue;
            }
        };
        let mut next = || chars.next().and_then(digit);
        if let (Some(index), Some(high), Some(low)) = (next(), next(), next()) {
            let offset = high * BASE as usize + low;
            markers.push(Marker { at: text.len(), mark, index, offset });
        }
    }
    (text, markers)
}
