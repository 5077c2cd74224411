//! Tables of what interpolation makes of a string, one for each claim.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// `SET` is `value`, `EMPTY` is empty, `TRICKY` looks like a template; nothing else is set.
fn lookup(name: &str) -> Option<String> {
    match name {
        "SET" | "set" | "_s1" => Some("value".to_owned()),
        "EMPTY" => Some(String::new()),
        "TRICKY" => Some("${SET} $$ }".to_owned()),
        _ => None,
    }
}

fn text_of(template: &str) -> Result<String, InterpolationProblem> {
    interpolate(template, &lookup).map(|done| done.text).map_err(|fault| fault.kind)
}

fn expect_texts(table: &[(&str, &str)]) {
    for (template, text) in table {
        assert_eq!(text_of(template).as_deref(), Ok(*text), "{template:?}");
    }
}

fn expect_faults(table: &[(&str, InterpolationProblem, Range<usize>)]) {
    for (template, kind, range) in table {
        let fault = interpolate(template, &lookup).unwrap_err();
        assert_eq!((&fault.kind, &fault.range), (kind, range), "{template:?}");
    }
}

#[test]
fn plain_variables_are_replaced() {
    expect_texts(&[
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a$SET", "avalue"),
        ("$SET.b", "value.b"),
        ("$SET-b", "value-b"),
        ("${SET}b", "valueb"),
        ("$SET$SET", "valuevalue"),
        ("${SET}${SET}", "valuevalue"),
        ("$SET/${EMPTY}/$set", "value//value"),
        ("$_s1", "value"),
        ("${EMPTY}", ""),
        ("é${SET}é", "évalueé"),
        ("", ""),
        ("no variables", "no variables"),
    ]);
}

#[test]
fn a_name_ends_where_its_letters_end() {
    expect_texts(&[
        ("$SETx", ""),
        ("$SET1", ""),
        ("$SET_", ""),
        ("$SETé", "valueé"),
        ("$SET{x}", "value{x}"),
        ("$SET:-x", "value:-x"),
        ("$SET[0]", "value[0]"),
    ]);
}

#[test]
fn dollars_that_start_nothing_stay() {
    expect_texts(&[
        ("$", "$"),
        ("$ ", "$ "),
        ("$1", "$1"),
        ("$-", "$-"),
        ("$}", "$}"),
        ("$(x)", "$(x)"),
        ("$é", "$é"),
        ("a$", "a$"),
        ("5$ and 6$", "5$ and 6$"),
    ]);
}

#[test]
fn doubled_dollars_are_one_and_start_nothing() {
    expect_texts(&[
        ("$$", "$"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("$$$$", "$$"),
        ("$$$", "$$"),
        ("a$$b", "a$b"),
        ("$${", "${"),
        ("${UNSET-$$x}", "$x"),
        ("${UNSET-$${SET}}", "${SET}"),
    ]);
}

#[test]
fn defaults_stand_in_for_what_is_missing() {
    expect_texts(&[
        ("${UNSET:-x}", "x"),
        ("${UNSET-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${SET:-x}", "value"),
        ("${SET-x}", "value"),
        ("${UNSET:-}", ""),
        ("${UNSET-}", ""),
        ("${UNSET:-a b}", "a b"),
        ("${UNSET:--x}", "-x"),
        ("${UNSET--x}", "-x"),
        ("${UNSET-:-x}", ":-x"),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET-a+b?c}", "a+b?c"),
        ("${UNSET:-é}", "é"),
        ("${UNSET:-\"q\"}", "\"q\""),
        ("${UNSET:-/a/b.c:80}", "/a/b.c:80"),
    ]);
}

#[test]
fn alternatives_stand_in_for_what_is_there() {
    expect_texts(&[
        ("${SET:+x}", "x"),
        ("${SET+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("${EMPTY+x}", "x"),
        ("${UNSET:+x}", ""),
        ("${UNSET+x}", ""),
        ("${SET:+}", ""),
        ("${SET:+$SET!}", "value!"),
        ("${SET+a-b}", "a-b"),
    ]);
}

#[test]
fn required_variables_that_are_there_are_replaced() {
    expect_texts(&[
        ("${SET:?no}", "value"),
        ("${SET?no}", "value"),
        ("${EMPTY?no}", ""),
        ("${SET:?}", "value"),
        ("${SET?}", "value"),
        ("${SET?${}}", "value"),
    ]);
}

#[test]
fn required_variables_that_are_missing_are_errors() {
    let required = |name: &str, reason: &str| InterpolationProblem::Required {
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    expect_faults(&[
        ("${UNSET:?say why}", required("UNSET", "say why"), 0..17),
        ("${UNSET?say why}", required("UNSET", "say why"), 0..16),
        ("${EMPTY:?say why}", required("EMPTY", "say why"), 0..17),
        ("${UNSET?}", required("UNSET", ""), 0..9),
        ("${UNSET:?}", required("UNSET", ""), 0..10),
        ("é ${UNSET?no} b", required("UNSET", "no"), 3..14),
        ("${UNSET?see $SET}", required("UNSET", "see value"), 0..17),
        ("${UNSET?see ${NO:-docs}}", required("UNSET", "see docs"), 0..24),
        ("${UNSET:-${NO?deep}}", required("NO", "deep"), 9..19),
        ("${SET} ${NO?a} ${NA?b}", required("NO", "a"), 7..14),
    ]);
}

#[test]
fn operands_have_variables_of_their_own() {
    expect_texts(&[
        ("${UNSET:-$SET}", "value"),
        ("${UNSET:-${SET}}", "value"),
        ("${UNSET:-${NO:-x}}", "x"),
        ("${UNSET:-a${NO:-b${NA:-c}d}e}", "abcde"),
        ("${UNSET:-${NO-}${SET}}", "value"),
        ("${UNSET:-${SET:+${NO-y}}}", "y"),
        ("${UNSET-$NO}", ""),
        ("${UNSET-a}${UNSET-b}", "ab"),
        ("${UNSET:-a} ${SET} ${NO:-b}", "a value b"),
        ("${UNSET:-${NO:-a}}-${SET:-b}", "a-value"),
    ]);
}

#[test]
fn values_are_not_templates() {
    expect_texts(&[
        ("$TRICKY", "${SET} $$ }"),
        ("${TRICKY:-x}", "${SET} $$ }"),
        ("${UNSET:-$TRICKY}", "${SET} $$ }"),
    ]);
}

#[test]
fn an_operand_that_is_not_used_is_not_read() {
    expect_texts(&[
        ("${SET:-${}}", "value"),
        ("${SET:-${NO?no}}", "value"),
        ("${UNSET+${}}", ""),
        ("${SET-${NO}", "value"),
    ]);
}

#[test]
fn braces_in_operands_are_counted() {
    expect_texts(&[
        ("${UNSET:-{a}}", "{a}"),
        ("${UNSET:-a{b}c}d", "a{b}cd"),
        ("${UNSET:-{\"a\": 1}}", "{\"a\": 1}"),
        ("${UNSET:-a}}", "a}"),
        ("${UNSET:-a} }", "a }"),
        ("{${UNSET:-a}}", "{a}"),
    ]);
}

#[test]
fn without_a_balance_an_operand_goes_to_the_last_brace_of_the_line() {
    expect_texts(&[
        ("${UNSET:-{}}", "{}"),
        ("${UNSET:-{a}", "{a"),
        ("${UNSET:-{} b} c", "{} b c"),
        ("${UNSET:-{}\n}", "{\n}"),
    ]);
}

#[test]
fn variables_stay_within_a_line() {
    expect_texts(&[
        ("${SET}\n${SET}", "value\nvalue"),
        ("${UNSET:-a}\n${UNSET:-b}", "a\nb"),
        ("$SET\n", "value\n"),
    ]);
    expect_faults(&[
        ("${UNSET:-a\nb}", InterpolationProblem::Unclosed, 0..9),
        ("${SET\n}", InterpolationProblem::Unclosed, 0..5),
        ("${SET:-\n}", InterpolationProblem::Unclosed, 0..7),
    ]);
}

#[test]
fn malformed_variables_are_pointed_at() {
    let bad = |found| InterpolationProblem::BadOperator { found };
    expect_faults(&[
        ("${", InterpolationProblem::Unnamed, 0..2),
        ("${}", InterpolationProblem::Unnamed, 0..2),
        ("${1}", InterpolationProblem::Unnamed, 0..2),
        ("${ SET}", InterpolationProblem::Unnamed, 0..2),
        ("${-x}", InterpolationProblem::Unnamed, 0..2),
        ("${$SET}", InterpolationProblem::Unnamed, 0..2),
        ("${é}", InterpolationProblem::Unnamed, 0..2),
        ("a ${}", InterpolationProblem::Unnamed, 2..4),
        ("${SET", InterpolationProblem::Unclosed, 0..5),
        ("${SET:-x", InterpolationProblem::Unclosed, 0..7),
        ("${SET-", InterpolationProblem::Unclosed, 0..6),
        ("${SET ", bad(' '), 5..6),
        ("${SET }", bad(' '), 5..6),
        ("${SET%x}", bad('%'), 5..6),
        ("${SET#x}", bad('#'), 5..6),
        ("${SET=x}", bad('='), 5..6),
        ("${SET:=x}", bad(':'), 5..6),
        ("${SET:}", bad(':'), 5..6),
        ("${SET:", bad(':'), 5..6),
        ("${SET.x}", bad('.'), 5..6),
        ("${SET/a/b}", bad('/'), 5..6),
        ("${SETé}", bad('é'), 5..7),
        ("${UNSET:-${}}", InterpolationProblem::Unnamed, 9..11),
        ("${UNSET:-${NO}", InterpolationProblem::Unclosed, 9..13),
    ]);
}

#[test]
fn two_letters_beyond_ascii_are_names_as_case_folding_has_it() {
    let lookup = |name: &str| (name == "\u{17f}\u{212a}").then(|| "yes".to_owned());
    assert_eq!(interpolate("$\u{17f}\u{212a}!", &lookup).unwrap().text, "yes!");
    assert_eq!(interpolate("${\u{17f}\u{212a}:-x}", &lookup).unwrap().text, "yes");
}

#[test]
fn unset_variables_without_operator_are_reported() {
    let reference = |name: &str, range| Reference { name: name.to_owned(), range };
    for (template, unset) in [
        ("$SET ${EMPTY}", vec![]),
        ("$NO", vec![reference("NO", 0..3)]),
        ("a ${NO} $NA", vec![reference("NO", 2..7), reference("NA", 8..11)]),
        ("$NO$NO", vec![reference("NO", 0..3), reference("NO", 3..6)]),
        ("${NO:-} ${NO-} ${NO+x}", vec![]),
        ("${NO:-$NA}", vec![reference("NA", 6..9)]),
        ("${SET:-$NA}", vec![]),
        ("${SET+$NA}$NE", vec![reference("NA", 6..9), reference("NE", 10..13)]),
    ] {
        assert_eq!(interpolate(template, &lookup).unwrap().unset, unset, "{template}");
    }
}

#[test]
fn every_variable_asked_for_is_told() {
    let done = interpolate("$SET ${NO:-${EMPTY}} ${SET:-$NEVER}", &lookup).unwrap();
    let names: Vec<_> = done.used.iter().map(|used| (&*used.name, used.range.clone())).collect();
    assert_eq!(names, [("SET", 0..4), ("NO", 5..20), ("EMPTY", 11..19), ("SET", 21..35)]);
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| format!("{}x{}", "${A-".repeat(depth), "}".repeat(depth));
    assert_eq!(text_of(&nested(64)).as_deref(), Ok("x"));
    assert_eq!(text_of(&nested(65)), Err(InterpolationProblem::TooDeep));
    assert_eq!(text_of(&nested(100_000)), Err(InterpolationProblem::TooDeep));
}

#[test]
fn output_has_a_limit() {
    let big = |_: &str| Some("x".repeat(1 << 20));
    assert_eq!(interpolate(&"$A".repeat(16), &big).unwrap().text.len(), 16 << 20);
    let fault = interpolate(&"$A".repeat(17), &big).unwrap_err();
    assert_eq!(fault, InterpolationError::new(InterpolationProblem::TooLong, 32..34));
}

#[test]
fn long_lines_of_open_variables_take_linear_time() {
    // Each of these would be quadratic if a line were searched anew for every variable.
    let texts =
        ["${A-}".repeat(200_000), "$A".repeat(500_000), "${A-{}".repeat(50) + &"}".repeat(99)];
    for text in texts {
        assert!(interpolate(&text, &lookup).is_ok());
    }
    assert!(interpolate(&("${A-".repeat(300_000)), &lookup).is_err());
    assert_eq!(variables(&"${A-".repeat(300_000)).len(), 0);
}

#[test]
fn problems_read_as_sentences() {
    let say = |template| interpolate(template, &lookup).unwrap_err().to_string();
    insta::assert_snapshot!(say("${DB?set it in .env}"), @"required variable `DB` is missing a value: set it in .env");
    insta::assert_snapshot!(say("${DB?}"), @"required variable `DB` is missing a value");
    insta::assert_snapshot!(say("${}"), @"`${` must be followed by the name of a variable; write `$${` for the text itself");
    insta::assert_snapshot!(say("${DB"), @"`${` is never closed: expected `}` on the same line");
    insta::assert_snapshot!(say("${DB%x}"), @"`%` cannot follow a variable's name: expected `}`, `:-`, `-`, `:?`, `?`, `:+` or `+`");
}

#[test]
fn a_listing_has_every_variable_with_its_operand() {
    use Presence::{Alternative, Default, Optional, Required};
    let owned = str::to_owned;
    for (template, mentions) in [
        ("no", vec![]),
        ("$$A $${B}", vec![]),
        ("$A", vec![("A", Optional, 0..2)]),
        ("${A}", vec![("A", Optional, 0..4)]),
        ("${A:-x}", vec![("A", Default(owned("x")), 0..7)]),
        ("${A-x y}", vec![("A", Default(owned("x y")), 0..8)]),
        ("${A:-}", vec![("A", Default(owned("")), 0..6)]),
        ("${A:+x}", vec![("A", Alternative(owned("x")), 0..7)]),
        ("${A+x}", vec![("A", Alternative(owned("x")), 0..6)]),
        ("${A:?x}", vec![("A", Required, 0..7)]),
        ("${A?$B}", vec![("A", Required, 0..7)]),
        ("$A-${B}", vec![("A", Optional, 0..2), ("B", Optional, 3..7)]),
        ("${A:-$B}", vec![("A", Default(owned("$B")), 0..8), ("B", Optional, 5..7)]),
        (
            "${A+${B-c}} $D",
            vec![
                ("A", Alternative(owned("${B-c}")), 0..11),
                ("B", Default(owned("c")), 4..10),
                ("D", Optional, 12..14),
            ],
        ),
        ("${} ${1} $A ${B%} ${C", vec![("A", Optional, 9..11)]),
    ] {
        let found = variables(template);
        let found: Vec<_> =
            found.iter().map(|m| (&*m.name, m.presence.clone(), m.range.clone())).collect();
        assert_eq!(found, mentions, "{template}");
    }
}

fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("$".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("${".to_owned()),
        "\\$\\{(SET|EMPTY|NO)(:?[-+?])?",
        "[a-z \n:é]{0,3}",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_template_gives_text_or_a_place(text in template()) {
        match interpolate(&text, &lookup) {
            Ok(done) => {
                for reference in done.used.iter().chain(&done.unset) {
                    let place = &text[reference.range.clone()];
                    prop_assert!(place.starts_with('$') && place.contains(&reference.name));
                }
            }
            Err(fault) => prop_assert!(text.get(fault.range).is_some()),
        }
        for mention in variables(&text) {
            prop_assert!(text[mention.range].contains(&mention.name));
        }
    }

    #[test]
    fn doubling_the_dollars_gives_any_text_back(text in "\\PC*") {
        let escaped = text.replace('$', "$$");
        prop_assert_eq!(text_of(&escaped), Ok(text));
        prop_assert_eq!(variables(&escaped), vec![]);
    }

    #[test]
    fn a_listing_names_whatever_is_asked_for(text in template()) {
        if let Ok(done) = interpolate(&text, &lookup) {
            let listed = variables(&text);
            for used in done.used {
                prop_assert!(listed.iter().any(|m| m.name == used.name && m.range == used.range));
            }
        }
    }
}
