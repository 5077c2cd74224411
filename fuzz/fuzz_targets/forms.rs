//! The short forms of values: each is read or refused, with the fault within the text.

#![no_main]

use std::fmt::Display;

use gitdeploy::compose::forms::{
    Fault, bare, boolean, cpus, device, device_count, duration, file_mode, float, float32,
    host_entry, integer, json_float, json_float32, ports, pull_policy, shell_words, size, volume,
};
use gitdeploy::compose::normalize_name;
use gitdeploy::model::Name;
use gitdeploy::settings::{
    Address, Authority, Constraint, HostSelector, parse_duration, parse_size,
};
use libfuzzer_sys::fuzz_target;

fn check<T, K: Display>(text: &str, read: Result<T, Fault<K>>) -> Option<T> {
    read.map_err(|fault| {
        assert!(text.get(fault.range.clone()).is_some(), "{:?}: {fault}", fault.range);
        assert!(!fault.to_string().is_empty());
    })
    .ok()
}

fn compose(text: &str) {
    check(text, boolean(text));
    check(text, cpus(text));
    check(text, device(text));
    check(text, device_count(text));
    check(text, duration(text));
    check(text, file_mode(text));
    check(text, host_entry(text));
    check(text, integer(text));
    check(text, pull_policy(text));
    check(text, shell_words(text));
    check(text, size(text));
    check(text, volume(text));
    bare(text);
    for port in check(text, ports(text)).unwrap_or_default() {
        assert!(!format!("{port:?}").is_empty());
    }
    if let Some(value) = check(text, float(text)).filter(|value| value.is_finite()) {
        assert_eq!(json_float(value).parse(), Ok(value));
    }
    if let Some(value) = check(text, float32(text)).filter(|value| value.is_finite()) {
        assert_eq!(json_float32(value).parse(), Ok(value));
    }
    let name = normalize_name(text);
    assert_eq!(normalize_name(&name), name);
}

fn settings(text: &str) {
    let _ = parse_duration(text);
    let _ = parse_size(text);
    let _ = Constraint::parse(text);
    let _ = HostSelector::parse(text);
    let _ = Address::parse(text);
    let _ = Authority::parse(text);
    if let Some(name) = Name::from_folder(text) {
        assert_eq!(Name::parse(name.as_str()), Ok(name));
    }
}

fuzz_target!(|text: &str| {
    compose(text);
    settings(text);
});
