//! Cuts a template's source into plain text and tags, with their places.
//!
//! This is not the engine's lexer and decides nothing about what a template means. It only has to
//! agree with it on where plain text begins and ends after whitespace control, so that calls and
//! markers can be put there. On a source that the engine refuses, anything may come out.

use std::ops::Range;

/// One stretch of a source. Pieces cover the source without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The whole stretch.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) kind: PieceKind,
}

/// What a [`Piece`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Plain text; `kept` is what whitespace control leaves of it.
    Text { kept: Range<usize> },
    /// A `raw` block; `kept` is what is written of its content.
    Raw { kept: Range<usize>, sides: Sides },
    /// `{{ … }}`.
    Expression { sides: Sides },
    /// `{% … %}`: its first word, and what follows it.
    Statement { keyword: Range<usize>, rest: Range<usize>, sides: Sides },
    /// `{# … #}`.
    Comment { sides: Sides },
}

/// Which neighbours a tag strips of whitespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// It began with `{%-` or the like.
    pub(super) before: bool,
    /// It ended with `-%}` or the like.
    pub(super) after: bool,
}

impl Piece {
    fn sides(&self) -> Option<Sides> {
        match self.kind {
            PieceKind::Text { .. } => None,
            PieceKind::Raw { sides, .. }
            | PieceKind::Expression { sides }
            | PieceKind::Statement { sides, .. }
            | PieceKind::Comment { sides } => Some(sides),
        }
    }
}

/// Cuts `source` into pieces.
pub(super) fn pieces(source: &str) -> Vec<Piece> {
    let mut lexer = Lexer { source, at: 0, parens: 0, pieces: Vec::new() };
    while lexer.at < source.len() {
        lexer.step();
    }
    let mut pieces = lexer.pieces;
    trim_texts(source, &mut pieces);
    pieces
}

/// Applies whitespace control: what a tag strips is known only when both neighbours are.
fn trim_texts(source: &str, pieces: &mut [Piece]) {
    for index in 0..pieces.len() {
        let PieceKind::Text { kept } = &pieces[index].kind else { continue };
        let mut kept = kept.clone();
        let before = index.checked_sub(1).and_then(|index| pieces[index].sides());
        let after = pieces.get(index + 1).and_then(Piece::sides);
        if before.is_some_and(|sides| sides.after) {
            kept.start = kept.end - source[kept.clone()].trim_start().len();
        }
        if after.is_some_and(|sides| sides.before) {
            kept.end = kept.start + source[kept.clone()].trim_end().len();
        }
        pieces[index].kind = PieceKind::Text { kept };
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    // As in the engine, this outlives a tag: an unclosed bracket is an error there anyway.
    parens: isize,
    pieces: Vec<Piece>,
}

impl Lexer<'_> {
    fn bytes(&self) -> &[u8] {
        self.source.as_bytes()
    }

    fn push(&mut self, end: usize, kind: PieceKind) {
        self.pieces.push(Piece { span: self.at..end, kind });
        self.at = end;
    }

    fn step(&mut self) {
        let start = self.tag_start(self.at);
        if start > self.at {
            self.push(start, PieceKind::Text { kept: self.at..start });
            return;
        }
        let second = self.bytes()[start + 1];
        match second {
            b'#' => self.comment(),
            b'{' => self.tag(b"}}"),
            _ if self.raw() => {}
            _ => self.tag(b"%}"),
        }
    }

    fn tag_start(&self, from: usize) -> usize {
        let bytes = self.bytes();
        (from..bytes.len().saturating_sub(1))
            .find(|&at| bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))
            .unwrap_or(bytes.len())
    }

    fn comment(&mut self) {
        let bytes = self.bytes();
        let before = bytes.get(self.at + 2) == Some(&b'-');
        let from = self.at + 2 + usize::from(matches!(bytes.get(self.at + 2), Some(b'-' | b'+')));
        match self.source.get(from..).and_then(|rest| rest.find("#}")) {
            Some(found) => {
                let after = found > 0 && bytes[from + found - 1] == b'-';
                let sides = Sides { before, after };
                self.push(from + found + 2, PieceKind::Comment { sides });
            }
            None => self.push(self.source.len(), PieceKind::Comment { sides: Sides::default() }),
        }
    }

    /// A whole `raw` block, if one begins here.
    fn raw(&mut self) -> bool {
        let from = self.after_sign(self.at + 2);
        let Some((content, strip_start)) = self.basic_tag(from, "raw") else { return false };
        let before = self.bytes().get(self.at + 2) == Some(&b'-');
        let mut search = content;
        while let Some(found) = self.source[search..].find("{%") {
            let (tag, open) = (search + found, search + found + 2);
            search = open;
            let Some((end, after)) = self.basic_tag(self.after_sign(open), "endraw") else {
                continue;
            };
            let mut kept = content..tag;
            if strip_start {
                kept.start = kept.end - self.source[kept.clone()].trim_start().len();
            }
            if self.bytes().get(open) == Some(&b'-') {
                kept.end = kept.start + self.source[kept.clone()].trim_end().len();
            }
            self.push(end, PieceKind::Raw { kept, sides: Sides { before, after } });
            return true;
        }
        self.push(
            self.source.len(),
            PieceKind::Raw { kept: content..content, sides: Sides::default() },
        );
        true
    }

    fn after_sign(&self, at: usize) -> usize {
        at + usize::from(matches!(self.bytes().get(at), Some(b'-' | b'+')))
    }

    /// The end of `name %}` at `at`, and whether it ends with a `-`.
    fn basic_tag(&self, at: usize, name: &str) -> Option<(usize, bool)> {
        let rest = self.source.get(at..)?;
        let rest = rest.trim_ascii_start().strip_prefix(name)?.trim_ascii_start();
        let strips = rest.starts_with('-');
        let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")?;
        Some((self.source.len() - rest.len(), strips))
    }

    fn tag(&mut self, close: &[u8; 2]) {
        let start = self.at;
        let bytes = self.bytes();
        let before = bytes.get(start + 2) == Some(&b'-');
        let inner = self.after_sign(start + 2);
        let mut at = inner;
        let mut parens = self.parens;
        let (end, inner_end, after) = loop {
            let Some(&byte) = bytes.get(at) else { break (bytes.len(), bytes.len(), false) };
            let signed = matches!(byte, b'-' | b'+');
            let close_at = at + usize::from(signed);
            if parens == 0 && bytes.get(close_at..close_at + 2) == Some(close) {
                break (close_at + 2, at, byte == b'-');
            }
            match byte {
                b'(' | b'[' | b'{' => parens += 1,
                b')' | b']' | b'}' => parens -= 1,
                b'\'' | b'"' => at = string_end(bytes, at) - 1,
                _ => {}
            }
            at += 1;
        };
        self.parens = parens;
        let sides = Sides { before, after };
        let kind = if close == b"}}" {
            PieceKind::Expression { sides }
        } else {
            let (keyword, rest) = split_keyword(self.source, inner..inner_end);
            PieceKind::Statement { keyword, rest, sides }
        };
        self.push(end, kind);
    }
}

/// One past the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'\\' => end += 2,
            _ if byte == quote => return end + 1,
            _ => end += 1,
        }
    }
    bytes.len()
}

fn split_keyword(source: &str, inner: Range<usize>) -> (Range<usize>, Range<usize>) {
    let text = &source[inner.clone()];
    let start = inner.end - text.trim_ascii_start().len();
    let length = word_length(&source[start..inner.end]);
    (start..start + length, start + length..inner.end)
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// One word of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Where it stands in the source.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) kind: TokenKind,
    /// How many brackets are open around it.
    pub(super) depth: usize,
}

/// What a [`Token`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or keyword.
    Word,
    /// A string with its quotes.
    Str,
    /// A single sign, or one of `== != <= >= ** //`.
    Sign,
    /// A number, or what is left.
    Other,
}

/// The words of `range` in `source`, without whitespace.
pub(super) fn tokens(source: &str, range: Range<usize>) -> Vec<Token> {
    let bytes = &source.as_bytes()[..range.end];
    let (mut at, mut depth) = (range.start, 0_usize);
    let mut tokens = Vec::new();
    while let Some(&byte) = bytes.get(at) {
        let (end, kind) = match byte {
            _ if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'\'' | b'"' => (string_end(bytes, at).min(range.end), TokenKind::Str),
            b'0'..=b'9' => (at + word_length(&source[at..range.end]), TokenKind::Other),
            _ if byte.is_ascii_alphabetic() || byte == b'_' => {
                (at + word_length(&source[at..range.end]), TokenKind::Word)
            }
            _ if !byte.is_ascii() => (next_ascii(bytes, at), TokenKind::Other),
            _ => match bytes.get(at..at + 2) {
                Some(b"==" | b"!=" | b"<=" | b">=" | b"**" | b"//") => (at + 2, TokenKind::Sign),
                _ => (at + 1, TokenKind::Sign),
            },
        };
        if matches!(byte, b')' | b']' | b'}') {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token { span: at..end, kind, depth });
        if matches!(byte, b'(' | b'[' | b'{') {
            depth += 1;
        }
        at = end;
    }
    tokens
}

fn next_ascii(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    at + rest.iter().position(u8::is_ascii).unwrap_or(rest.len())
}
