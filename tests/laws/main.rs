//! What must hold for every input, tried with generated ones.

mod compose;
mod generate;
mod hash;
mod snapshot;
mod values;
mod world;

use proptest::test_runner::Config;

/// So many cases each, without a file of failures beside the sources.
fn cases(number: u32) -> Config {
    Config { cases: number, failure_persistence: None, ..Config::default() }
}
