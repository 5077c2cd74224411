//! Durations, sizes and paths as people write them: Compose's spellings, within limits that make
//! sense for a deployment.

use std::time::Duration;

use crate::compose::forms;
use crate::shape::{Format, Shape};

/// A duration of zero or more.
pub(super) const DURATION: Format =
    Format { name: "duration", example: "1m30s", check: |text| parse_duration(text).map(drop) };

/// A duration longer than nothing.
pub(super) const PERIOD: Format = Format {
    name: "duration",
    example: "1m30s",
    check: |text| match parse_duration(text)? {
        Duration::ZERO => Err("it must be longer than 0".into()),
        _ => Ok(()),
    },
};

/// An amount of memory.
pub(super) const SIZE: Format =
    Format { name: "size", example: "512m", check: |text| parse_size(text).map(drop) };

/// A path on a host.
pub(super) const ABSOLUTE_PATH: Format =
    Format { name: "full path", example: "/etc/nginx/conf.d/gitdeploy.conf", check: absolute_path };

/// A TCP port.
pub(super) const PORT: Shape = Shape::Int { min: 1, max: 65535 };

/// The longest duration that is read: a year of 366 days.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Reads a duration as Compose writes them, `1h30m`, `30s`, `250ms`; zero or more, at most a year.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = forms::duration(text).map_err(|fault| fault.to_string())?;
    let nanos = u64::try_from(duration.nanos()).map_err(|_| "it is negative")?;
    let duration = Duration::from_nanos(nanos);
    if duration > LONGEST {
        return Err("it is longer than a year".into());
    }
    Ok(duration)
}

/// Reads an amount of memory as Compose writes them, `8g`, `512m`, in bytes; more than nothing.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let forms::Bytes(bytes) = forms::size(text).map_err(|fault| fault.to_string())?;
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).ok_or_else(|| "it is not above 0".into())
}

fn absolute_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err("it must start with `/`".into());
    }
    if text.ends_with('/') {
        return Err("it names a directory, not a file".into());
    }
    if text.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("it must not contain `.` or `..`".into());
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in
            [("30s", 30_000), ("1m30s", 90_000), ("250ms", 250), ("0s", 0), ("1.5h", 5_400_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let why: Vec<String> = ["", "30", "s", "3 s", "-1s", "5y", "9999999h", "15251w"]
            .into_iter()
            .map(|text| format!("{text:?}: {}", parse_duration(text).expect_err("no duration")))
            .collect();
        insta::assert_snapshot!(why.join("\n"), @r#"
        "": the duration is empty
        "30": the number has no unit: expected one of `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`
        "s": expected a number, as in `1m30s`
        "3 s": ` s` is not a unit of time: expected one of `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`
        "-1s": it is negative
        "5y": `y` is not a unit of time: expected one of `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`
        "9999999h": the duration is too long
        "15251w": the duration is too long
        "#);
    }

    #[test]
    fn sizes_are_counted_in_steps_of_1024() {
        for (text, bytes) in
            [("8g", 8 << 30), ("512m", 512 << 20), ("64KB", 64 << 10), ("1.5g", 3 << 29)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "g", "8x", "99999999999999999999", "99999999t", "-1", "0"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
