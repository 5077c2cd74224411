//! Tables of what counts as a number and how numbers are shown, one for each claim.

use proptest::prelude::*;

use super::*;

#[test]
fn whole_numbers_have_a_sign_and_digits() {
    for (text, value) in [
        ("0", 0),
        ("7", 7),
        ("+7", 7),
        ("-7", -7),
        ("-0", 0),
        ("007", 7),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(integer(text), Ok(value), "{text}");
    }
}

#[test]
fn anything_else_is_no_whole_number() {
    use NumberProblem::{Empty, Malformed, NotWhole, OutOfRange};
    for (text, kind) in [
        ("", Empty),
        ("-", Malformed),
        ("+", Malformed),
        ("--7", Malformed),
        ("seven", Malformed),
        (" 7", Malformed),
        ("7 ", Malformed),
        ("1,000", Malformed),
        ("0x", Malformed),
        ("0x10", Malformed),
        ("٣", Malformed),
        ("7.0", NotWhole),
        ("7.", NotWhole),
        ("1e3", NotWhole),
        ("1_000", NotWhole),
        ("9223372036854775808", OutOfRange),
        ("-9223372036854775809", OutOfRange),
    ] {
        assert_eq!(integer(text), Err(Fault::new(kind, 0..text.len())), "{text}");
    }
}

#[test]
fn modes_are_octal_and_shown_with_a_zero() {
    for (text, shown) in [
        ("0440", "0440"),
        ("440", "0440"),
        ("0", "00"),
        ("7777", "07777"),
        ("00644", "0644"),
        ("+644", "0644"),
        ("-7", "0-7"),
    ] {
        assert_eq!(file_mode(text).map(|mode| mode.to_string()), Ok(shown.to_owned()), "{text}");
    }
    assert_eq!(file_mode("0440"), Ok(FileMode(0o440)));
}

#[test]
fn a_mode_that_is_not_octal_is_refused() {
    for text in ["8", "0o644", "0x1", "rw-r--r--", "6 4", "-", "1777777777777777777777777"] {
        assert!(file_mode(text).is_err(), "{text}");
    }
    assert_eq!(file_mode("").unwrap_err().kind, NumberProblem::Empty);
}

#[test]
fn numbers_may_have_fraction_exponent_and_underscores() {
    for (text, value) in [
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1.5", 1.5),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("1.5e+2", 150.0),
        ("1_000", 1000.0),
        ("1_0.2_5", 10.25),
        ("0x1p4", 16.0),
        ("0X1.8P-1", 0.75),
        ("-0x.8p1", -1.0),
        ("0x_1p0", 1.0),
        ("1e-400", 0.0),
    ] {
        assert_eq!(float(text), Ok(value), "{text}");
    }
    assert!(float("nan").is_ok_and(f64::is_nan));
    assert_eq!(float("-Inf"), Ok(f64::NEG_INFINITY));
    assert_eq!(float("+infinity"), Ok(f64::INFINITY));
}

#[test]
fn anything_else_is_no_number() {
    use NumberProblem::{Empty, Malformed, OutOfRange};
    for (text, kind) in [
        ("", Empty),
        (".", Malformed),
        ("-", Malformed),
        ("e3", Malformed),
        ("1e", Malformed),
        ("1e+", Malformed),
        ("1.2.3", Malformed),
        ("1,5", Malformed),
        (" 1", Malformed),
        ("1 ", Malformed),
        ("_1", Malformed),
        ("1_", Malformed),
        ("1__0", Malformed),
        ("1_.5", Malformed),
        ("0x1", Malformed),
        ("0xp1", Malformed),
        ("0x1p", Malformed),
        ("+nan", Malformed),
        ("infin", Malformed),
        ("half", Malformed),
        ("1é", Malformed),
        ("1e309", OutOfRange),
        ("-0x1p5000", OutOfRange),
    ] {
        assert_eq!(float(text), Err(Fault::new(kind, 0..text.len())), "{text}");
    }
    assert_eq!(float32("1e39").unwrap_err().kind, OutOfRange);
    assert_eq!(float32("0.1"), Ok(0.1_f32));
    assert_eq!(cpus("1.5"), Ok(1.5_f32));
    assert_eq!(cpus("two").unwrap_err().kind, Malformed);
}

#[test]
fn doubles_are_shown_as_json_shows_them() {
    for (value, shown) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (1234567.0, "1234567"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        // Equally near to two spellings: the even digit is taken.
        (-792251976156016.2, "-792251976156016.2"),
        (2217793965840513.2, "2217793965840513.2"),
        (9007199254740993.0, "9007199254740992"),
    ] {
        assert_eq!(json_float(value), shown);
    }
}

#[test]
fn singles_are_shown_with_their_own_digits() {
    for (value, shown) in [
        (0.0_f32, "0"),
        (0.1, "0.1"),
        (0.25, "0.25"),
        (1.5, "1.5"),
        (16777216.0, "16777216"),
        (49563.062, "49563.062"),
        (-3753769.2, "-3753769.2"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (f32::MAX, "3.4028235e+38"),
    ] {
        assert_eq!(json_float32(value), shown);
    }
}

proptest! {
    #[test]
    fn whole_numbers_read_back(value in any::<i64>()) {
        prop_assert_eq!(integer(&value.to_string()), Ok(value));
        prop_assert_eq!(file_mode(&format!("{value:o}")).is_ok(), value >= 0);
        let mode = FileMode(value.saturating_abs());
        prop_assert_eq!(file_mode(&mode.to_string()), Ok(mode));
    }

    #[test]
    fn shown_numbers_read_back(value in any::<f64>(), single in any::<f32>()) {
        prop_assert_eq!(float(&json_float(value)), Ok(value));
        prop_assert_eq!(float32(&json_float32(single)), Ok(single));
    }

    #[test]
    fn shown_numbers_are_json(value in any::<f64>()) {
        let read: f64 = serde_json::from_str(&json_float(value)).unwrap();
        prop_assert!((read - value).abs() <= value.abs() * 1e-15);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+]?(0x)?[0-9a-f_.]{0,20}([ep][-+]?[0-9]{0,6})?\\PC?") {
        for fault in [float(&text).err(), float32(&text).err(), integer(&text).err()] {
            prop_assert!(fault.is_none_or(|fault| text.get(fault.range).is_some()));
        }
    }
}
