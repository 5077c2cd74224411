//! Tables of what files of variables say, one for each claim.

use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;
use crate::compose::interpolate::{InterpolationProblem, Reference};

fn nothing(_: &str) -> Option<String> {
    None
}

fn home(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/root".to_owned())
}

/// The values of `text`, as `KEY=value` in order.
fn read(text: &str) -> Vec<String> {
    let found = parse(text, &home).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    values(&found).iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn expect(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(&read(text), expected, "{text:?}");
    }
}

#[test]
fn unquoted_values_go_to_the_end_of_the_line() {
    expect(&[
        ("A=1", &["A=1"]),
        ("A=1\nB=2\n", &["A=1", "B=2"]),
        ("A=", &["A="]),
        ("A=\nB=2", &["A=", "B=2"]),
        ("A = 1 ", &["A=1"]),
        ("A=a b  c ", &["A=a b  c"]),
        ("A\t=\t1\t", &["A=1"]),
        ("A=1\r\nB=2\r\n", &["A=1", "B=2"]),
        ("A=b=c", &["A=b=c"]),
        ("A=it's", &["A=it's"]),
        ("A=a\"b\"", &["A=a\"b\""]),
        ("A=C:\\dir\\n", &["A=C:\\dir\\n"]),
        ("A=é☃", &["A=é☃"]),
    ]);
}

#[test]
fn a_colon_is_as_good_as_an_equals_sign() {
    expect(&[
        ("A: 1", &["A=1"]),
        ("A:1", &["A=1"]),
        ("A: b=c", &["A=b=c"]),
        ("A=b: c", &["A=b: c"]),
        ("A : 'x'", &["A=x"]),
    ]);
}

#[test]
fn names_are_letters_digits_and_a_few_signs() {
    expect(&[
        ("a.b-c_d=1", &["a.b-c_d=1"]),
        ("a[0]=1", &["a[0]=1"]),
        ("1A=1", &["1A=1"]),
        ("é=1", &["é=1"]),
        ("名前=1", &["名前=1"]),
        ("A\tB=1", &["A\tB=1"]),
        ("=1", &["=1"]),
    ]);
}

#[test]
fn export_is_passed_over() {
    expect(&[
        ("export A=1", &["A=1"]),
        ("export   A=1", &["A=1"]),
        ("export\tA=1", &["A=1"]),
        ("exported=1", &["exported=1"]),
        ("export=1", &["export=1"]),
        ("export\nA=1", &["A=1"]),
        ("export HOME\n", &["HOME=/root"]),
    ]);
}

#[test]
fn comments_and_empty_lines_say_nothing() {
    expect(&[
        ("", &[]),
        ("\n\n  \n", &[]),
        ("# A=1", &[]),
        ("# A=1\nB=2", &["B=2"]),
        ("  # A=1\n  B=2", &["B=2"]),
        ("A=1 # note", &["A=1"]),
        ("A=1 #note # more", &["A=1"]),
        ("A=1#2", &["A=1#2"]),
        ("A=#1", &["A=#1"]),
        ("A= #1", &["A=#1"]),
        ("A=1\t# note", &["A=1\t# note"]),
        ("A='x' # note\nB=2", &["A=x", "B=2"]),
        ("A=\"x # y\" # note", &["A=x # y"]),
    ]);
}

#[test]
fn a_byte_order_mark_is_passed_over_once() {
    expect(&[("\u{feff}A=1", &["A=1"]), ("\u{feff}", &[]), ("\u{feff}# c\nA=1", &["A=1"])]);
    assert!(parse("\u{feff}\u{feff}A=1", &nothing).is_err());
}

#[test]
fn single_quotes_keep_everything() {
    expect(&[
        ("A='x y'", &["A=x y"]),
        ("A=''", &["A="]),
        ("A='$HOME ${HOME}'", &["A=$HOME ${HOME}"]),
        ("A='a\\nb'", &["A=a\\nb"]),
        ("A='a\\\\b'", &["A=a\\\\b"]),
        ("A='it\\'s'", &["A=it's"]),
        ("A='a\"b'", &["A=a\"b"]),
        ("A='a\nb'\nB=2", &["A=a\nb", "B=2"]),
        ("A=' x '", &["A= x "]),
        ("A='#'", &["A=#"]),
    ]);
}

#[test]
fn double_quotes_have_escapes_and_variables() {
    expect(&[
        ("A=\"x y\"", &["A=x y"]),
        ("A=\"\"", &["A="]),
        ("A=\"$HOME\"", &["A=/root"]),
        ("A=\"${HOME}/x\"", &["A=/root/x"]),
        (r#"A="a\nb""#, &["A=a\nb"]),
        (r#"A="a\tb\rc""#, &["A=a\tb\rc"]),
        (r#"A="\a\b\f\v""#, &["A=\u{7}\u{8}\u{c}\u{b}"]),
        (r#"A="a\"b""#, &["A=a\"b"]),
        (r#"A="a\\nb""#, &["A=a\\nb"]),
        (r#"A="a\\""#, &["A=a\\"]),
        (r#"A="\$HOME""#, &["A=$HOME"]),
        (r#"A="\${HOME}""#, &["A=${HOME}"]),
        (r#"A="\\$HOME""#, &["A=\\/root"]),
        (r#"A="$$HOME""#, &["A=$HOME"]),
        (r#"A="it's \'""#, &["A=it's \\'"]),
        (r#"A="\c\x\q""#, &["A=\\c\\x\\q"]),
        ("A=\"a\nb\"\nB=2", &["A=a\nb", "B=2"]),
        ("A=\"a\r\nb\"", &["A=a\r\nb"]),
        ("A=\"a\\\nb\"", &["A=a\\\nb"]),
    ]);
}

#[test]
fn octal_escapes_need_three_digits_after_the_zero() {
    expect(&[
        (r#"A="\0101""#, &["A=A"]),
        (r#"A="\01012""#, &["A=A2"]),
        (r#"A="\0377""#, &["A=ÿ"]),
        (r#"A="\0400""#, &["A=\\400"]),
        (r#"A="\0189""#, &["A=\\189"]),
        (r#"A="\012""#, &["A=\\12"]),
        (r#"A="\0""#, &["A=\\"]),
        (r#"A="\0x""#, &["A=\\x"]),
        (r#"A="\0000""#, &["A=\0"]),
    ]);
}

#[test]
fn a_closing_quote_ends_the_assignment() {
    expect(&[
        ("A=\"1\" B='2' C=3", &["A=1", "B=2", "C=3"]),
        ("A='1'HOME\nB=2", &["A=1", "HOME=/root", "B=2"]),
        ("A='1'\tB=2", &["A=1", "B=2"]),
    ]);
}

#[test]
fn variables_come_from_the_environment_then_from_the_file() {
    expect(&[
        ("A=$HOME", &["A=/root"]),
        ("A=1\nB=$A", &["A=1", "B=1"]),
        ("A=1\nB=${A}2", &["A=1", "B=12"]),
        ("B=$A\nA=1", &["B=", "A=1"]),
        ("HOME=/x\nA=$HOME", &["HOME=/x", "A=/root"]),
        ("A=1\nA=${A}2\nB=$A", &["A=12", "B=12"]),
        ("A=${NO:-x y}", &["A=x y"]),
        ("A=${NO-${HOME}}", &["A=/root"]),
        ("A=${HOME:+yes}", &["A=yes"]),
        ("A=5$", &["A=5$"]),
        ("A=$$HOME", &["A=$HOME"]),
        ("A='$HOME'\nB=$A", &["A=$HOME", "B=$HOME"]),
    ]);
}

#[test]
fn variables_of_earlier_files_come_last() {
    let earlier = IndexMap::from([("A".to_owned(), "old".to_owned())]);
    let text = "B=$A\nA=new\nC=$A\nHOME=x\nD=$HOME";
    let found = values(&parse_after(text, &home, &earlier).unwrap());
    assert_eq!((&*found["B"], &*found["C"], &*found["D"]), ("old", "new", "/root"));
}

#[test]
fn a_bare_name_takes_its_value_from_the_environment_alone() {
    expect(&[
        ("HOME\n", &["HOME=/root"]),
        ("HOME  \r\nA=1", &["HOME=/root", "A=1"]),
        ("NO\nA=1", &["A=1"]),
        ("A=1\nA\n", &["A=1"]),
    ]);
    let found = parse("NO\nHOME\n", &home).unwrap();
    let found: Vec<_> =
        found.iter().map(|a| (&*a.key, a.value.as_deref(), a.is_inherited)).collect();
    assert_eq!(found, [("NO", None, true), ("HOME", Some("/root"), true)]);
}

#[test]
fn a_bare_name_at_the_very_end_is_the_value_of_nothing() {
    expect(&[("HOME", &["=HOME"]), ("A=1\nNO", &["A=1", "=NO"]), ("export NO", &["=NO"])]);
}

#[test]
fn the_last_of_equal_names_wins_in_the_first_place() {
    expect(&[("A=1\nB=2\nA=3", &["A=3", "B=2"])]);
}

#[test]
fn assignments_know_their_place() {
    let text = "# c\nexport A='x\ny'\n\nB = 2 # c\nHOME\n";
    let found = parse(text, &home).unwrap();
    let found: Vec<_> = found.iter().map(|a| (&*a.key, a.line, &text[a.range.clone()])).collect();
    assert_eq!(found, [("A", 2, "export A='x\ny'"), ("B", 5, "B = 2"), ("HOME", 6, "HOME")]);
}

#[test]
fn unset_variables_are_reported_at_their_place() {
    for (text, places) in [
        ("A=$NO", &["$NO"][..]),
        ("A=x ${NO} $NA # $NE", &["${NO}", "$NA"]),
        ("A=\"x ${NO}\"", &["${NO}"]),
        ("A=\"\\t${NO}\"", &["\"\\t${NO}\""]),
        ("A='$NO'", &[]),
        ("A=${NO:-}", &[]),
    ] {
        let found = parse(text, &home).unwrap();
        let unset: Vec<_> =
            found[0].unset.iter().map(|u: &Reference| &text[u.range.clone()]).collect();
        assert_eq!(unset, places, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let character = |character| DotenvProblem::UnexpectedCharacter { character };
    let unclosed = |quote| DotenvProblem::Unterminated { quote };
    let variable = DotenvProblem::Interpolation;
    for (text, kind, line, range) in [
        ("A%=1", character('%'), 1, 1..2),
        ("A=1\n\"B\"=2", character('"'), 2, 4..5),
        ("A=1\n{é", character('{'), 2, 4..5),
        ("A☃=1", character('☃'), 1, 1..4),
        ("A=\"x\"; B=1", character(';'), 1, 5..6),
        ("A B=1", DotenvProblem::SpaceInName, 1, 1..2),
        ("\nA B\n", DotenvProblem::SpaceInName, 2, 2..3),
        ("export A B=1", DotenvProblem::SpaceInName, 1, 8..9),
        ("A=1\nexport ", DotenvProblem::LoneExport, 2, 4..10),
        ("A='x", unclosed('\''), 1, 2..4),
        ("A=\"x\nB=1\n", unclosed('"'), 1, 2..4),
        ("Z=1\nA=\"x\\\"\n", unclosed('"'), 2, 6..10),
        ("A='", unclosed('\''), 1, 2..3),
        ("A=1\nB=${}", variable(InterpolationProblem::Unnamed), 2, 6..8),
        ("B=x${A", variable(InterpolationProblem::Unclosed), 1, 3..6),
        ("B=\"x${A\"", variable(InterpolationProblem::Unclosed), 1, 4..7),
        ("B=\"\\n${A\"", variable(InterpolationProblem::Unclosed), 1, 2..9),
    ] {
        let expected = DotenvError { kind, line, range };
        assert_eq!(parse(text, &home), Err(expected), "{text:?}");
    }
}

#[test]
fn a_required_variable_without_value_stops_the_file() {
    let error = parse("A=1\nB=${C:?give me one}\n", &home).unwrap_err();
    assert_eq!((error.line, error.range.clone()), (2, 6..23));
    insta::assert_snapshot!(error, @"required variable `C` is missing a value: give me one");
}

#[test]
fn values_that_double_line_by_line_hit_a_limit() {
    let doubled = (1..40).map(|line| format!("A{line}=$A{0}$A{0}\n", line - 1));
    let text = format!("A0=xxxxxxxxxxxxxxxx\n{}", doubled.collect::<String>());
    assert_eq!(parse(&text, &nothing).unwrap_err().kind, DotenvProblem::TooLong);
}

fn raw(text: &str) -> Vec<String> {
    let found = parse_raw(text, &home).unwrap();
    values(&found).iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn raw_lines_are_taken_as_they_stand() {
    let table: [(&str, &[&str]); 16] = [
        ("A=1", &["A=1"]),
        ("A='x'", &["A='x'"]),
        ("A=\"$HOME\"", &["A=\"$HOME\""]),
        ("A= x ", &["A= x "]),
        ("  A=1", &["A=1"]),
        ("A=1 # c", &["A=1 # c"]),
        ("# A=1\nB=2", &["B=2"]),
        ("  # A=1", &[]),
        ("A=b=c", &["A=b=c"]),
        ("A=1\r\nB=2", &["A=1", "B=2"]),
        ("A=\nB=", &["A=", "B="]),
        ("HOME\nNO", &["HOME=/root"]),
        ("HOME", &["HOME=/root"]),
        ("\u{feff}A=1", &["A=1"]),
        ("A%b=1", &["A%b=1"]),
        ("A=1\nA=2", &["A=2"]),
    ];
    for (text, expected) in table {
        assert_eq!(raw(text), expected, "{text:?}");
    }
}

#[test]
fn raw_lines_need_a_name_without_space() {
    for (text, kind, line, range) in [
        ("=1", DotenvProblem::NoName, 1, 0..1),
        ("A=1\n  =1", DotenvProblem::NoName, 2, 6..7),
        ("A B=1", DotenvProblem::SpaceInName, 1, 1..2),
        ("A =1", DotenvProblem::SpaceInName, 1, 1..2),
        ("A=1\r\nexport\tA=1", DotenvProblem::SpaceInName, 2, 11..12),
        ("HOME ", DotenvProblem::SpaceInName, 1, 4..5),
    ] {
        let expected = DotenvError { kind, line, range };
        assert_eq!(parse_raw(text, &home), Err(expected), "{text:?}");
    }
}

fn file() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "(export )?[A-C]{1,2}[=:]?",
        "['\"\\\\$\\{\\} #\n\r\t\u{feff}é\u{2028}]{1,3}",
        "\\\\0[0-9]{0,4}",
        "\\$\\{?[A-C](:-)?",
    ];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused_at_a_place(text in file()) {
        match parse(&text, &home) {
            Ok(found) => {
                for assignment in found {
                    prop_assert!(text.get(assignment.range.clone()).is_some());
                    let before = &text[..assignment.range.start];
                    prop_assert_eq!(assignment.line, before.matches('\n').count() + 1);
                }
            }
            Err(error) => prop_assert!(text.get(error.range).is_some()),
        }
        if let Err(error) = parse_raw(&text, &home) {
            prop_assert!(text.get(error.range).is_some());
        }
    }

    #[test]
    fn single_quotes_give_any_value_back(value in "[^'\\\\]*") {
        let found = parse(&format!("A='{value}'"), &nothing).unwrap();
        prop_assert_eq!(found[0].value.as_ref(), Some(&value));
    }

    #[test]
    fn double_quotes_with_escapes_give_any_value_back(value in "\\PC*") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        let found = parse(&format!("A=\"{escaped}\""), &nothing).unwrap();
        prop_assert_eq!(found[0].value.as_ref(), Some(&value));
    }

    #[test]
    fn raw_lines_give_any_value_back(value in "[^\r\n]*") {
        let found = parse_raw(&format!("A={value}\n"), &nothing).unwrap();
        prop_assert_eq!(found[0].value.as_ref(), Some(&value));
    }
}
