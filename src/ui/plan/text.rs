//! A plan as text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Heading, Style, file, phrase, steps};
use crate::diag::printable_name;
use crate::model::{
    Action, Change, CommitId, HostName, Note, Op, Plan, ProxyFile, ReplicaChange, Seating,
    StackName,
};
use crate::ui::words::{Tint, paint, width};

/// How far the details of a change are indented.
const INDENT: &str = "        ";

/// The narrowest terminal that lines are fitted to; below, nothing can be aligned.
const WIDTH_MIN: usize = 40;

/// One line of a section: a change, or a proxy's file.
struct Row {
    action: Action,
    name: String,
    extent: String,
    why: String,
    details: String,
}

/// The whole plan, with a stable last line.
pub fn text(plan: &Plan, heading: &Heading, style: Style) -> String {
    let page = Page { plan, heading, style };
    let mut text = String::new();
    let owned = page.files_by_stack();
    for (stack, it) in &plan.stacks {
        let files = owned.get(stack).map(Vec::as_slice).unwrap_or_default();
        if it.changes.is_empty() && files.is_empty() {
            continue;
        }
        let mut rows: Vec<Row> =
            it.changes.iter().map(|change| page.change(stack, change)).collect();
        rows.extend(files.iter().map(|file| page.file(file)));
        page.section(&mut text, stack.as_str(), plan.commits.get(stack), &rows);
        page.notes(&mut text, &it.notes);
        text.push('\n');
    }
    let shared: Vec<Row> = page.shared_files(&owned).into_iter().map(|it| page.file(it)).collect();
    if !shared.is_empty() {
        page.section(&mut text, "proxies", None, &shared);
        text.push('\n');
    }
    page.unchanged(&mut text, &owned);
    page.placements(&mut text);
    page.steps(&mut text);
    page.blind(&mut text);
    page.strays(&mut text);
    let _ = writeln!(text, "{}", phrase::summary(plan, heading));
    text
}

struct Page<'a> {
    plan: &'a Plan,
    heading: &'a Heading,
    style: Style,
}

impl<'a> Page<'a> {
    /// Files that change for one stack alone are shown with it.
    fn files_by_stack(&self) -> BTreeMap<&'a StackName, Vec<&'a ProxyFile>> {
        let mut stacks: BTreeMap<_, BTreeSet<&StackName>> = BTreeMap::new();
        for step in &self.plan.steps {
            if let Op::Switch { place, .. } = &step.op {
                stacks.entry(place).or_default().insert(&step.stack);
            }
        }
        let mut files: BTreeMap<&StackName, Vec<&ProxyFile>> = BTreeMap::new();
        for file in &self.plan.files {
            let mut of = stacks.get(&file.place).into_iter().flatten();
            if let (Some(stack), None) = (of.next(), of.next())
                && self.plan.stacks.contains_key(*stack)
            {
                files.entry(stack).or_default().push(file);
            }
        }
        files
    }

    fn shared_files(&self, owned: &BTreeMap<&StackName, Vec<&ProxyFile>>) -> Vec<&'a ProxyFile> {
        let is_owned =
            |file: &ProxyFile| owned.values().flatten().any(|owned| owned.place == file.place);
        self.plan.files.iter().filter(|file| !is_owned(file)).collect()
    }

    /// `shop  3f2a1c9 "Bigger cache"  production`, and a line or more for each row.
    fn section(&self, text: &mut String, title: &str, own: Option<&CommitId>, rows: &[Row]) {
        let color = self.style.color;
        let commit = printable_name(own.map_or(self.heading.commit.as_str(), CommitId::short));
        let environment = printable_name(&self.heading.environment);
        let title = paint(Tint::Bold, &printable_name(title), color);
        let subject = match printable_name(&self.heading.subject) {
            subject if subject.is_empty() || own.is_some() => String::new(),
            subject => format!(" \"{subject}\""),
        };
        let _ = writeln!(text, "{title}  {commit}{subject}  {environment}\n");
        let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
        let extents = rows.iter().map(|row| width(&row.extent)).max().unwrap_or(0);
        for row in rows {
            let start =
                format!("  {:<3} {:<names$}  {}", row.action.symbol(), row.name, row.extent);
            let start = start.trim_end();
            let column = 2 + 3 + 1 + names + 2 + extents + 4;
            let why = if row.why.is_empty() { String::new() } else { format!("({})", row.why) };
            let painted = paint(tint(row.action), start, color);
            if why.is_empty() {
                let _ = writeln!(text, "{painted}");
            } else if self.fits(column + width(&why)) {
                let gap = column - width(start);
                let _ = writeln!(text, "{painted}{:gap$}{why}", "");
            } else {
                let _ = writeln!(text, "{painted}\n{INDENT}{why}");
            }
            text.push_str(&row.details);
        }
    }

    fn fits(&self, columns: usize) -> bool {
        self.style.width == 0 || columns <= self.style.width.max(WIDTH_MIN)
    }

    fn change(&self, stack: &StackName, change: &Change) -> Row {
        let mut details = self.fields(change);
        if self.style.all_steps {
            for replica in &change.replicas {
                let line = replica_line(stack, change, replica);
                let _ = writeln!(details, "{INDENT}{line}");
            }
        }
        Row {
            action: change.action,
            name: phrase::name(change),
            extent: phrase::extent(change),
            why: phrase::why(change),
            details,
        }
    }

    /// `image  shop:1 → shop:2`, in one column of names.
    fn fields(&self, change: &Change) -> String {
        let mut text = String::new();
        if change.action == Action::Remove {
            return text;
        }
        let paths: Vec<String> =
            change.fields.iter().map(|field| printable_name(&field.path)).collect();
        let column = paths.iter().map(|path| width(path)).max().unwrap_or(0);
        for (field, path) in change.fields.iter().zip(paths) {
            let (old, new) = phrase::values(field);
            let start = format!("{INDENT}{path:<column$}  ");
            if change.action == Action::Create {
                let _ = writeln!(text, "{start}{new}");
            } else if self.fits(width(&start) + width(&old) + 3 + width(&new)) {
                let _ = writeln!(text, "{start}{old} → {new}");
            } else {
                let _ = writeln!(text, "{start}{old}\n{:>1$}{new}", "→ ", width(&start));
            }
        }
        text
    }

    fn file(&self, file: &ProxyFile) -> Row {
        let mut details = String::new();
        for line in file::unified(file) {
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint(Tint::Good, &line, self.style.color),
                Some(b'-') => paint(Tint::Bad, &line, self.style.color),
                _ => line,
            };
            let _ = writeln!(details, "{INDENT}{painted}");
        }
        Row {
            action: phrase::file_action(file),
            name: printable_name(file.place.proxy.as_str()),
            extent: phrase::place(file),
            why: phrase::servers(file),
            details,
        }
    }

    fn notes(&self, text: &mut String, notes: &[Note]) {
        for note in notes {
            let word = paint(Tint::Notice, "note", self.style.color);
            let of = match printable_name(&note.service) {
                service if service.is_empty() => String::new(),
                service => format!("{service}: "),
            };
            let _ = writeln!(text, "  {word}: {of}{}", printable_name(&note.message));
        }
    }

    fn unchanged(&self, text: &mut String, owned: &BTreeMap<&StackName, Vec<&ProxyFile>>) {
        let is_same = |stack: &StackName| {
            self.plan.stacks[stack].changes.is_empty() && !owned.contains_key(stack)
        };
        let same: Vec<&str> =
            self.plan.stacks.keys().filter(|it| is_same(it)).map(StackName::as_str).collect();
        if !same.is_empty() && same.len() < self.plan.stacks.len() {
            let _ = writeln!(text, "Unchanged: {}.\n", same.join(", "));
        }
    }

    /// Why each replica is where it is, and which hosts could not have it.
    fn placements(&self, text: &mut String) {
        let mut lines = Vec::new();
        for (stack, it) in &self.plan.stacks {
            for Seating { service, slot, host, why, barred } in &it.seatings {
                let name = printable_name(&format!("{stack}/{service}/{slot}"));
                lines.push(format!("  {name} on {host}: {}", printable_name(why)));
                for (why, hosts) in barred {
                    let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
                    let why = printable_name(why);
                    lines.push(format!("{INDENT}not {}: {why}", hosts.join(", ")));
                }
            }
        }
        if !lines.is_empty() {
            let title = paint(Tint::Bold, "Placement:", self.style.color);
            let _ = writeln!(text, "{title}\n{}\n", lines.join("\n"));
        }
    }

    fn steps(&self, text: &mut String) {
        if self.plan.steps.is_empty() {
            return;
        }
        let _ = writeln!(text, "{}", paint(Tint::Bold, "Steps:", self.style.color));
        let stacks = steps::stacks(self.plan);
        for stack in &stacks {
            let lines = if self.style.all_steps { self.all(stack) } else { self.few(stack) };
            if stacks.len() > 1 {
                let _ = writeln!(text, "  {stack}");
            }
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        text.push('\n');
    }

    fn few(&self, stack: &StackName) -> Vec<String> {
        let lines = steps::folded(self.plan, stack);
        let digits = lines.len().to_string().len();
        let names = lines.iter().map(|line| width(&line.service)).max().unwrap_or(0);
        let line = |(number, line): (usize, steps::Line)| {
            let gap = if names == 0 { "" } else { "  " };
            format!("{:>digits$}. {:<names$}{gap}{}", number + 1, line.service, line.words)
        };
        lines.into_iter().enumerate().map(line).collect()
    }

    fn all(&self, stack: &StackName) -> Vec<String> {
        let digits = self.plan.steps.len().to_string().len();
        let of_stack = self.plan.steps.iter().filter(|step| step.stack == *stack);
        of_stack
            .map(|step| {
                let needs: Vec<String> =
                    step.needs.iter().map(|id| (id.0 + 1).to_string()).collect();
                let after = if needs.is_empty() {
                    String::new()
                } else {
                    format!("  after {}", needs.join(", "))
                };
                format!(
                    "{:>digits$}. {}: {}{after}",
                    step.id.0 + 1,
                    step.host,
                    printable_name(&step.op.words())
                )
            })
            .collect()
    }

    fn blind(&self, text: &mut String) {
        if self.plan.blind.is_empty() {
            return;
        }
        let _ = writeln!(text, "Not seen, and left as it is:");
        for blind in &self.plan.blind {
            let what = printable_name(&blind.what);
            let line = format!("  {what}: {}", printable_name(&blind.message));
            let _ = writeln!(text, "{}", paint(Tint::Notice, &line, self.style.color));
        }
        text.push('\n');
    }

    fn strays(&self, text: &mut String) {
        for (place, stacks) in &self.plan.strays {
            let (what, message) = phrase::stray(place, stacks);
            let word = paint(Tint::Notice, "warning", self.style.color);
            let _ =
                writeln!(text, "{word}: {}: {}\n", printable_name(&what), printable_name(&message));
        }
    }
}

fn replica_line(stack: &StackName, change: &Change, replica: &ReplicaChange) -> String {
    let name = printable_name(&format!("{stack}/{}/{}", change.name, replica.slot));
    let side = |side: &Option<String>| side.as_deref().map(printable_name);
    let containers = match (side(&replica.old), side(&replica.new)) {
        (Some(old), Some(new)) if old != new => format!("{old} → {new}"),
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => String::new(),
    };
    let cause = printable_name(&replica.cause.to_string());
    format!("{:<3} {name} on {}  {containers}  ({cause})", replica.action.symbol(), replica.host)
}

fn tint(action: Action) -> Tint {
    match action {
        Action::Create => Tint::Good,
        Action::Update | Action::ReplaceStartFirst => Tint::Notice,
        Action::Remove | Action::ReplaceStopFirst => Tint::Bad,
    }
}
