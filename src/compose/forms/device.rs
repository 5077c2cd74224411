//! Devices in their short form: `/dev/sda:/dev/xvda:rw`.

use thiserror::Error;

use super::{Fault, integer};

/// A device of the host, as a container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The path on the host, or a qualified name such as `vendor.com/class=name`.
    pub source: String,
    /// The path in the container; the source when none was given.
    pub target: String,
    /// Any of `r`, `w` and `m`. Passed on unread: the engine is the judge of it.
    pub permissions: String,
}

/// Why a text is not a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DeviceProblem {
    /// It has more than three parts, so none can be told from the others.
    #[error("too many colons: a device is `source[:target[:permissions]]`")]
    TooManyColons,
    /// It does not say how many devices are meant.
    #[error("not a number of devices: expected a whole number or `all`")]
    BadCount,
}

/// Reads `source[:target[:permissions]]`.
pub fn device(text: &str) -> Result<Device, Fault<DeviceProblem>> {
    let mut parts = text.splitn(4, ':');
    let source = parts.next().unwrap_or_default();
    let target = parts.next().filter(|target| !target.is_empty()).unwrap_or(source);
    let permissions = parts.next().unwrap_or("rwm");
    if let Some(surplus) = parts.next() {
        let colon = text.len() - surplus.len() - 1;
        return Err(Fault::new(DeviceProblem::TooManyColons, colon..text.len()));
    }
    Ok(Device {
        source: source.to_owned(),
        target: target.to_owned(),
        permissions: permissions.to_owned(),
    })
}

/// Reads how many devices are reserved: a whole number, or `all`, which is -1.
pub fn device_count(text: &str) -> Result<i64, Fault<DeviceProblem>> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(-1);
    }
    integer(text).map_err(|fault| Fault::new(DeviceProblem::BadCount, fault.range))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn missing_parts_have_their_defaults() {
        for (text, source, target, permissions) in [
            ("/dev/ttyS0", "/dev/ttyS0", "/dev/ttyS0", "rwm"),
            ("/dev/ttyS0:/dev/modem", "/dev/ttyS0", "/dev/modem", "rwm"),
            ("/dev/ttyS0:/dev/modem:r", "/dev/ttyS0", "/dev/modem", "r"),
            ("/dev/ttyS0::r", "/dev/ttyS0", "/dev/ttyS0", "r"),
            ("/dev/ttyS0:", "/dev/ttyS0", "/dev/ttyS0", "rwm"),
            ("/dev/ttyS0:/dev/modem:", "/dev/ttyS0", "/dev/modem", ""),
            ("acme.example/gpu=all", "acme.example/gpu=all", "acme.example/gpu=all", "rwm"),
            (":/dev/modem", "", "/dev/modem", "rwm"),
            ("", "", "", "rwm"),
        ] {
            let read = device(text).unwrap();
            let read = (&*read.source, &*read.target, &*read.permissions);
            assert_eq!(read, (source, target, permissions), "{text}");
        }
    }

    #[test]
    fn a_fourth_part_is_an_error() {
        for (text, range) in [("/a:/b:r:w", 7..9), (":::", 2..3), ("a:b:c:d:e", 5..9)] {
            assert_eq!(device(text), Err(Fault::new(DeviceProblem::TooManyColons, range)));
        }
    }

    #[test]
    fn all_devices_are_minus_one() {
        for (text, count) in [("all", -1), ("ALL", -1), ("-1", -1), ("0", 0), ("2", 2)] {
            assert_eq!(device_count(text), Ok(count), "{text}");
        }
        for text in ["", "some", "1.5", " 1", "all "] {
            let range = 0..text.len();
            assert_eq!(device_count(text), Err(Fault::new(DeviceProblem::BadCount, range)));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_out_reads_back(s in "[^:]{1,8}", t in "[^:]{1,8}", p in "[^:]{0,3}") {
            let read = device(&format!("{s}:{t}:{p}"));
            prop_assert_eq!(read, Ok(Device { source: s, target: t, permissions: p }));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Err(fault) = device(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
