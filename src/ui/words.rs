//! Small words that all outputs share: amounts of time, numbers with their nouns, colours.

use crate::diag::printable_name;
use crate::model::{Millis, Nanos};

/// A colour by what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tint {
    /// Comes, or is well.
    Good,
    /// Changes, or deserves a look.
    Notice,
    /// Goes, or failed.
    Bad,
    /// Stands back.
    Dim,
    /// A heading.
    Bold,
}

/// `text` in a colour, when there are colours.
pub(super) fn paint(tint: Tint, text: &str, color: bool) -> String {
    let code = match tint {
        Tint::Good => "32",
        Tint::Notice => "33",
        Tint::Bad => "31",
        Tint::Dim => "2",
        Tint::Bold => "1",
    };
    if color && !text.is_empty() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// `1 replica`, `4 replicas`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// A length of time as people say it: `4 s`, `0.3 s`, `1 min 30 s`.
pub(super) fn duration(time: Nanos) -> String {
    took(time.0 / 1_000_000)
}

/// Milliseconds as people say them.
pub(crate) fn took(time: Millis) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let seconds = (time + 500) / 1000;
    let (large, small) = match (time, seconds) {
        (0, _) => return "0 s".into(),
        (..10_000, _) => {
            // Rounded up, so that nothing takes no time at all.
            let tenths = time.div_ceil(100);
            return match tenths % 10 {
                0 => format!("{} s", tenths / 10),
                part => format!("{}.{part} s", tenths / 10),
            };
        }
        (_, ..MINUTE) => return format!("{seconds} s"),
        (_, MINUTE..HOUR) => (format!("{} min", seconds / MINUTE), (seconds % MINUTE, "s")),
        (_, HOUR..) => (format!("{} h", seconds / HOUR), (seconds % HOUR / MINUTE, "min")),
    };
    match small {
        (0, _) => large,
        (small, unit) => format!("{large} {small} {unit}"),
    }
}

/// Columns that a text takes, by characters.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Rows with their columns aligned and two spaces between; nothing trails.
/// `tint` says the colour of a cell by row and column.
pub(super) fn table(
    rows: &[Vec<String>],
    tint: impl Fn(usize, usize) -> Option<Tint>,
    color: bool,
) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable_name(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut page = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut gap = 0;
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let before: usize = widths[..column].iter().map(|width| width + 2).sum();
            page.push_str(&" ".repeat(before - gap));
            gap = before + width(cell);
            match tint(number, column) {
                Some(tint) => page.push_str(&paint(tint, cell, color)),
                None => page.push_str(cell),
            }
        }
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0, 3, 300, 4_000, 4_250, 9_999, 59_600, 90_000, 7_200_000, 7_320_000].map(took);
        assert_eq!(
            said,
            [
                "0 s",
                "0.1 s",
                "0.3 s",
                "4 s",
                "4.3 s",
                "10 s",
                "1 min",
                "1 min 30 s",
                "2 h",
                "2 h 2 min"
            ]
        );
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let rows = [["a", "b", ""], ["long", "", "c"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, |_, _| None, false), "a     b\nlong     c\n");
    }
}
