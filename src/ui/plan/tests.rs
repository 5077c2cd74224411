use super::sample::{destroyed, heading, nothing, usual};
use super::*;

#[test]
fn show() {
    println!("{}", text(&usual(), &heading(), Style::default()));
    println!(
        "{}",
        text(&usual(), &heading(), Style { all_steps: true, width: 70, ..Style::default() })
    );
    println!("{}", text(&nothing(), &heading(), Style::default()));
    println!("{}", text(&destroyed(), &heading(), Style::default()));
    println!("{}", markdown(&usual(), &heading(), None));
    println!("{}", markdown(&destroyed(), &heading(), None));
}
