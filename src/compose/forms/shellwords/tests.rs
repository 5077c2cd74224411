//! Tables of how command lines are split, one for each claim.

use proptest::prelude::*;

use super::*;

fn expect(table: &[(&str, &[&str])]) {
    for (text, words) in table {
        let read = shell_words(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
        assert_eq!(&read.words, words, "{text:?}");
        assert_eq!(read.dropped, None, "{text:?}");
    }
}

#[test]
fn space_parts_words() {
    expect(&[
        ("", &[]),
        ("   ", &[]),
        ("nginx", &["nginx"]),
        ("nginx -g off", &["nginx", "-g", "off"]),
        ("  a \t b\r\nc ", &["a", "b", "c"]),
        ("a\u{a0}b\u{b}c", &["a\u{a0}b\u{b}c"]),
        ("--x=1 --y=é", &["--x=1", "--y=é"]),
    ]);
}

#[test]
fn quotes_keep_words_together() {
    expect(&[
        ("'a b'", &["a b"]),
        ("\"a b\"", &["a b"]),
        ("a'b c'd", &["ab cd"]),
        ("a\"b c\"d", &["ab cd"]),
        ("'a'\"b\"", &["ab"]),
        ("sh -c 'echo \"hi\"; ls | wc'", &["sh", "-c", "echo \"hi\"; ls | wc"]),
        ("sh -c \"it's (so)\"", &["sh", "-c", "it's (so)"]),
        ("'a\nb'", &["a\nb"]),
        ("\" \"", &[" "]),
    ]);
}

#[test]
fn empty_quotes_are_an_empty_word() {
    expect(&[
        ("''", &[""]),
        ("\"\"", &[""]),
        ("a '' b", &["a", "", "b"]),
        ("''''", &[""]),
        ("''a", &["a"]),
    ]);
}

#[test]
fn backslashes_escape_except_in_single_quotes() {
    expect(&[
        ("a\\ b", &["a b"]),
        ("\\\"a\\\"", &["\"a\""]),
        ("\\'a", &["'a"]),
        ("\\\\", &["\\"]),
        ("\"a\\\"b\"", &["a\"b"]),
        ("\"a\\\\\"", &["a\\"]),
        ("'a\\b'", &["a\\b"]),
        ("'a\\'b", &["a\\b"]),
        ("\\$HOME", &["$HOME"]),
        ("a\\;b\\|c", &["a;b|c"]),
        ("\\(x\\)", &["(x)"]),
        ("\\é", &["é"]),
    ]);
}

#[test]
fn an_escaped_n_or_t_is_a_line_break_or_tab() {
    expect(&[
        ("a\\nb", &["a\nb"]),
        ("a\\tb", &["a\tb"]),
        ("\"a\\nb\"", &["a\nb"]),
        ("'a\\nb'", &["a\\nb"]),
        ("a\\rb", &["arb"]),
        ("a\\\nb", &["a\nb"]),
    ]);
}

#[test]
fn variables_and_substitutions_stay() {
    expect(&[
        ("echo $HOME ${X}", &["echo", "$HOME", "${X}"]),
        ("echo `a b` c", &["echo", "`a b`", "c"]),
        ("echo $(a b) c", &["echo", "$(a b)", "c"]),
        ("$(a 'b c' \"d\")", &["$(a 'b c' \"d\")"]),
        ("$(a; b | c)", &["$(a; b | c)"]),
        ("`a; b`", &["`a; b`"]),
        ("x$(a)y", &["x$(a)y"]),
        ("\"$(a b)\"", &["$(a b)"]),
        ("'`'", &["`"]),
        ("\"`\"", &["`"]),
        ("$()", &["$()"]),
        ("`(`", &["`(`"]),
    ]);
}

#[test]
fn a_hash_starts_no_comment() {
    expect(&[("a # b", &["a", "#", "b"]), ("#a", &["#a"]), ("a=b {c} *?", &["a=b", "{c}", "*?"])]);
}

#[test]
fn an_operator_ends_the_command_and_the_rest_is_told() {
    let table: [(&str, &[&str], Range<usize>); 11] = [
        ("echo a; echo b", &["echo", "a"], 6..14),
        ("echo a ; echo b", &["echo", "a"], 7..15),
        ("a && b", &["a"], 2..6),
        ("a|b", &["a"], 1..3),
        ("a > f", &["a"], 2..5),
        ("a < f", &["a"], 2..5),
        ("a 2>f", &["a"], 3..5),
        ("a 2b>f", &["a"], 4..6),
        ("a b2>f", &["a", "b2"], 4..6),
        ("; a", &[], 0..3),
        ("é & '", &["é"], 3..6),
    ];
    for (text, words, dropped) in table {
        let expected = ShellWords {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            dropped: Some(dropped),
        };
        assert_eq!(shell_words(text), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let unclosed = |opening| ShellWordsProblem::Unclosed { opening };
    let parenthesis = |parenthesis| ShellWordsProblem::Parenthesis { parenthesis };
    for (text, kind, range) in [
        ("echo 'a", unclosed("'"), 5..6),
        ("echo \"a", unclosed("\""), 5..6),
        ("echo 'a' 'b", unclosed("'"), 9..10),
        ("é '", unclosed("'"), 3..4),
        ("\"a\\\"", unclosed("\""), 0..1),
        ("a `b", unclosed("`"), 2..3),
        ("a $(b", unclosed("$("), 2..4),
        ("it's", unclosed("'"), 2..3),
        ("a \\", ShellWordsProblem::LoneBackslash, 2..3),
        ("\\", ShellWordsProblem::LoneBackslash, 0..1),
        ("(a)", parenthesis('('), 0..1),
        ("a (b)", parenthesis('('), 2..3),
        ("a b)", parenthesis(')'), 3..4),
        ("$(a (b))", parenthesis('('), 4..5),
        ("$(a) b)", parenthesis(')'), 6..7),
        ("f()", parenthesis('('), 1..2),
    ] {
        assert_eq!(shell_words(text), Err(Fault::new(kind, range)), "{text:?}");
    }
}

/// Quoted so that it is one word whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

proptest! {
    #[test]
    fn quoted_words_read_back(words in prop::collection::vec("\\PC{0,6}", 0..6)) {
        let text = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(shell_words(&text), Ok(ShellWords { words, dropped: None }));
    }

    #[test]
    fn any_text_is_split_or_refused_at_a_place(text in "([ \"'`\\\\$();&|<>\n]|[a-z0-9é]){0,16}") {
        match shell_words(&text) {
            Ok(read) => prop_assert!(read.dropped.is_none_or(|range| text.get(range).is_some())),
            Err(fault) => prop_assert!(text.get(fault.range).is_some()),
        }
    }
}
