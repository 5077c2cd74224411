//! A pull request for those who decide on it: a verdict for each stack first, what is lost or down
//! open below it, everything else folded, and all of it within what a forge takes.
//!
//! Every text of a repository is escaped or fenced. What is too long loses folded parts first, the
//! longest one first; the verdict loses nothing but rows, those of removals last. Texts that somebody
//! else has written are cut one by one, and together have a share of the room.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::escape::{code, html, plain, within};
use super::words::{counted, duration};
use super::{diff, plan};
use crate::diff::{Action as DiffAction, Differences};
use crate::model::{Action, Change, Downtime, Plan, ResourceKind, StackName, StackPlan};

/// What is known about a pull request.
pub struct Review<'a> {
    /// What it is about.
    pub heading: diff::Heading,
    /// The first line of the head's message.
    pub subject: String,
    /// What base and head differ in; `None` when the head has errors.
    pub differences: Option<&'a Differences>,
    /// What would be done.
    pub plan: Option<&'a Plan>,
    /// What the plan rests on, as a sentence.
    pub against: String,
    /// What people must know beside it, a sentence each.
    pub notes: Vec<String>,
    /// Why it cannot be deployed as it is; empty when it can.
    pub errors: Vec<String>,
    /// Why it is not about what the pull request is now.
    pub stale: Option<String>,
    /// Where the job is shown.
    pub url: Option<String>,
}

const TABLE: &str = "| | stack | change | downtime | risks |\n|---|---|---|---|---|\n";

/// The most changes of one stack that its row names.
const CHANGES_MAX: usize = 6;

/// The most risks of one stack that its row names, beside what goes for good.
const RISKS_MAX: usize = 4;

/// The most things of one stack whose end its row names.
const REMOVALS_MAX: usize = 50;

/// The most errors, and the most notes, that are listed.
const ERRORS_MAX: usize = 20;

/// The longest subject, sentence or address, in bytes as they are written.
const TEXT_MAX: usize = 600;

/// The longest error or note.
const ERROR_MAX: usize = 2000;

/// One row of the verdict.
struct Row {
    /// Whether something is lost or down.
    is_grave: bool,
    text: String,
}

/// A part below the verdict.
struct Part {
    is_folded: bool,
    text: String,
}

/// The whole review in at most `limit` bytes.
pub fn markdown(review: &Review<'_>, limit: usize) -> String {
    let mut top = head(review, limit);
    let end = format!("{}\n{}", verdict(review, limit), foot(review, limit));
    let room = limit.saturating_sub(top.len() + end.len());
    top.push_str(&table(rows(review), room));
    top.push_str(&end);
    let mut parts = parts(review);
    fit(&mut parts, limit.saturating_sub(top.len()));
    top.extend(parts.into_iter().map(|part| part.text));
    top
}

/// The one sentence that says it all, for statuses too.
pub fn sentence(review: &Review<'_>) -> String {
    if !review.errors.is_empty() {
        return format!("Cannot be deployed: {}.", counted(review.errors.len(), "error"));
    }
    match (review.plan, review.differences) {
        (Some(plan), _) => plan::sentence(plan, &plan_heading(review)),
        (None, Some(differences)) => diff::Totals::of(differences).sentence(),
        (None, None) => "Nothing is known.".to_owned(),
    }
}

/// The review for programs.
pub fn json(review: &Review<'_>) -> Value {
    json!({
        "format_version": "1.0",
        "project": review.heading.project,
        "environment": review.heading.environment,
        "base": review.heading.base,
        "head": review.heading.head,
        "summary": sentence(review),
        "against": review.against,
        "notes": review.notes,
        "errors": review.errors,
        "stale": review.stale,
        "diff": review.differences.map(|it| diff::json(it, &review.heading)),
        "plan": review.plan.map(|it| plan::json(it, &plan_heading(review))),
    })
}

/// The review for people at a terminal.
pub fn text(review: &Review<'_>, style: plan::Style) -> String {
    let mut page = String::new();
    for error in &review.errors {
        let _ = writeln!(page, "{}", crate::diag::printable(error));
    }
    if let Some(differences) = review.differences.filter(|it| !it.is_empty()) {
        page.push_str(&diff::text(differences, &review.heading, style.color));
        page.push('\n');
    }
    if let Some(plan) = review.plan {
        page.push_str(&plan::text(plan, &plan_heading(review), style));
    } else {
        let _ = writeln!(page, "{}", sentence(review));
    }
    let _ = writeln!(page, "\n{}", crate::diag::printable(&review.against));
    for note in &review.notes {
        let _ = writeln!(page, "{}", crate::diag::printable(note));
    }
    page
}

fn plan_heading(review: &Review<'_>) -> plan::Heading {
    plan::Heading {
        project: review.heading.project.clone(),
        environment: review.heading.environment.clone(),
        commit: review.heading.head.clone(),
        subject: review.subject.clone(),
    }
}

/// What one text may have of the room.
fn share(limit: usize) -> usize {
    TEXT_MAX.min(limit / 16)
}

/// As many as there is room for, each cut; and how many are left out.
fn items(texts: &[String], limit: usize, write: impl Fn(&str, usize) -> String) -> (String, usize) {
    let room = limit / 4;
    let (mut list, mut shown) = (String::new(), 0);
    for text in texts.iter().take(ERRORS_MAX) {
        let item = write(text, ERROR_MAX.min(limit / 8));
        if list.len() + item.len() > room {
            break;
        }
        list.push_str(&item);
        shown += 1;
    }
    (list, texts.len() - shown)
}

fn head(review: &Review<'_>, limit: usize) -> String {
    let diff::Heading { project, environment, base, head } = &review.heading;
    let share = share(limit);
    let code_within = |text: &str| within(text, share, code);
    let subject = match review.subject.as_str() {
        "" => String::new(),
        subject => format!(" {}", code_within(subject)),
    };
    let mut text =
        format!("### gitdeploy review: {}\n\n", code_within(&format!("{project}/{environment}")));
    if let Some(stale) = &review.stale {
        let _ = writeln!(text, "> [!WARNING]\n> **Stale.** {}\n", within(stale, share, plain));
    }
    let _ = writeln!(text, "{}..{}{subject}\n", code_within(base), code_within(head));
    if !review.errors.is_empty() {
        text.push_str("**It cannot be deployed as it is:**\n\n");
        let item = |error: &str, max| format!("- {}\n", within(error, max, code));
        let (list, rest) = items(&review.errors, limit, item);
        text.push_str(&list);
        if rest > 0 {
            let _ = writeln!(text, "- and {rest} more");
        }
        text.push('\n');
    }
    text
}

fn verdict(review: &Review<'_>, limit: usize) -> String {
    let sentence = sentence(review);
    let max = limit / 8;
    match sentence.split_once("Downtime: ") {
        Some((before, after)) if after != "none." => {
            format!("**{before}Downtime: {}**\n", within(after, max, code))
        }
        _ => format!("**{}**\n", within(&sentence, max, html)),
    }
}

fn foot(review: &Review<'_>, limit: usize) -> String {
    let mut text = String::new();
    if !review.against.is_empty() {
        let _ = writeln!(text, "{}", within(&review.against, share(limit), plain));
    }
    let item = |note: &str, max| format!("\n> {}\n", within(note, max, plain));
    let (list, rest) = items(&review.notes, limit, item);
    text.push_str(&list);
    if rest > 0 {
        let _ = writeln!(text, "\n> and {rest} more");
    }
    if let Some(url) = review.url.as_deref().filter(|url| is_link(url) && url.len() <= share(limit))
    {
        let _ = writeln!(text, "\n[The job]({url})");
    }
    text.push('\n');
    text
}

/// Whether an address can stand in a link without ending it.
fn is_link(url: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() && !"()[]<>\"'`\\".contains(c);
    url.starts_with("https://") && url.chars().all(is_plain)
}

fn table(mut rows: Vec<Row>, room: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    // Room for the words that say how many are left out.
    let room = room.saturating_sub(TABLE.len() + 80);
    let size = |rows: &[Row]| rows.iter().map(|row| row.text.len()).sum::<usize>();
    let all = rows.len();
    rows.sort_by_key(|row| !row.is_grave);
    while size(&rows) > room && rows.pop().is_some() {}
    let mut table = TABLE.to_owned();
    table.extend(rows.iter().map(|row| row.text.as_str()));
    if rows.len() < all {
        let _ = writeln!(table, "| … | and {} more | | | |", all - rows.len());
    }
    table.push('\n');
    table
}

fn rows(review: &Review<'_>) -> Vec<Row> {
    match (review.plan, review.differences) {
        (Some(plan), _) => {
            let touched = plan.stacks.iter().filter(|(_, it)| !it.changes.is_empty());
            touched.map(|(name, it)| plan_row(name, it)).collect()
        }
        (None, Some(differences)) => differences.stacks.iter().map(diff_row).collect(),
        (None, None) => Vec::new(),
    }
}

fn plan_row(name: &StackName, stack: &StackPlan) -> Row {
    let mut signs: Vec<&str> = Vec::new();
    for change in &stack.changes {
        if !signs.contains(&change.action.symbol()) {
            signs.push(change.action.symbol());
        }
    }
    let change = |change: &Change| {
        let (extent, why) = (plan::extent(change), plan::why(change));
        let extent = if extent.is_empty() { String::new() } else { format!(": {extent}") };
        code(&format!("{} {}{extent} ({why})", change.action.symbol(), plan::name(change)))
    };
    let mut graver: Vec<&Change> = stack.changes.iter().collect();
    graver.sort_by_key(|change| !is_loss(change.action));
    let changes = graver.into_iter().map(change).collect();
    let down: Vec<String> = stack.changes.iter().filter_map(down).collect();
    let risks = risks(stack);
    let is_grave = !down.is_empty() || stack.changes.iter().any(|it| is_loss(it.action));
    let down =
        if down.is_empty() { "no".to_owned() } else { format!("**yes**: {}", down.join("; ")) };
    Row { is_grave, text: row(&signs.join(" "), name.as_str(), changes, &down, &risks) }
}

fn row(signs: &str, stack: &str, changes: Vec<String>, down: &str, risks: &str) -> String {
    format!(
        "| {} | {} | {} | {down} | {} |\n",
        code(signs),
        code(stack),
        listed(changes, CHANGES_MAX),
        risks
    )
}

/// Some of many, in one cell.
fn listed(mut items: Vec<String>, max: usize) -> String {
    let rest = items.len().saturating_sub(max);
    items.truncate(max);
    if rest > 0 {
        items.push(format!("and {rest} more"));
    }
    items.join("<br>")
}

fn down(change: &Change) -> Option<String> {
    match &change.downtime {
        Downtime::None => None,
        Downtime::About { time, reason } => {
            let text = format!("{} about {}", change.name, duration(*time));
            Some(format!("{}, {}", code(&text), code(reason)))
        }
    }
}

fn is_loss(action: Action) -> bool {
    matches!(action, Action::Remove | Action::ReplaceStopFirst)
}

fn risks(stack: &StackPlan) -> String {
    let mut removals = Vec::new();
    for change in stack.changes.iter().filter(|change| change.action == Action::Remove) {
        removals.push(match change.kind {
            ResourceKind::Volume => {
                format!("{} goes with all its data", code(&plan::name(change)))
            }
            ResourceKind::Service | ResourceKind::Network => {
                format!("{} goes for good", code(&plan::name(change)))
            }
        });
    }
    let notes = stack.notes.iter().map(|note| match note.service.as_str() {
        "" => code(&note.message),
        service => code(&format!("{service}: {}", note.message)),
    });
    let cells = [listed(removals, REMOVALS_MAX), listed(notes.collect(), RISKS_MAX)];
    cells.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("<br>")
}

fn diff_row(stack: &crate::diff::StackDifference) -> Row {
    let item = |item: &crate::diff::ItemDifference| {
        let what = match item.action {
            DiffAction::Update => format!(" {}", diff::summary(item)),
            DiffAction::Create | DiffAction::Delete => String::new(),
        };
        code(&format!("{} {} {}{what}", item.action.symbol(), item.kind.word(), item.name))
    };
    let gone = stack.items.iter().filter(|it| it.action == DiffAction::Delete);
    let mut risks: Vec<String> = gone
        .map(|it| format!("{} goes", code(&format!("{} {}", it.kind.word(), it.name))))
        .collect();
    let is_grave = !risks.is_empty() || stack.action == DiffAction::Delete;
    if stack.items.iter().any(|it| it.replaces) {
        risks.push("new containers".to_owned());
    }
    let changes = stack.items.iter().map(item).collect();
    let text = row(
        stack.action.symbol(),
        stack.name.as_str(),
        changes,
        "not known",
        &listed(risks, REMOVALS_MAX),
    );
    Row { is_grave, text }
}

fn parts(review: &Review<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(plan) = review.plan {
        let (open, folded) = plan::sections(plan);
        parts.extend(open.into_iter().map(|text| Part { is_folded: false, text }));
        parts.extend(folded.into_iter().map(|text| Part { is_folded: true, text }));
    }
    let sections = review.differences.map(diff::sections).unwrap_or_default();
    if !sections.is_empty() {
        let title = "#### What the commits change\n\n".to_owned();
        parts.push(Part { is_folded: false, text: title });
        parts.extend(sections.into_iter().map(|text| Part { is_folded: true, text }));
    }
    parts
}

/// Leaves out the longest folded part until all fit; then open ones.
fn fit(parts: &mut Vec<Part>, room: usize) {
    // For the line that counts them.
    const LINE: usize = 80;
    let size = |parts: &[Part]| parts.iter().map(|part| part.text.len()).sum::<usize>();
    if size(parts) <= room {
        return;
    }
    let mut left_out = 0;
    while size(parts) + LINE > room {
        let longest = parts.iter().enumerate();
        let longest = longest.max_by_key(|(_, part)| (part.is_folded, part.text.len()));
        let Some((index, _)) = longest else { break };
        parts.remove(index);
        left_out += 1;
    }
    let text = format!("…and {}, left out for their length.\n", counted(left_out, "more part"));
    if text.len() <= room {
        parts.push(Part { is_folded: false, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Note};
    use crate::ui::plan::sample::{change, destroyed, heading as plan_heading, name, usual};

    fn review(plan: &Plan) -> Review<'_> {
        let heading = plan_heading();
        Review {
            heading: diff::Heading {
                project: heading.project,
                environment: heading.environment,
                base: "0000000".into(),
                head: heading.commit,
            },
            subject: heading.subject,
            differences: None,
            plan: Some(plan),
            against: "Planned for the hosts as they are now.".into(),
            notes: Vec::new(),
            errors: Vec::new(),
            stale: None,
            url: None,
        }
    }

    /// Many stacks, of which the last one goes.
    fn large() -> Plan {
        let mut plan = usual();
        for number in 0..200 {
            let it = StackPlan {
                changes: vec![change(ResourceKind::Service, "web", Action::Update, Cause::Scaled)],
                notes: vec![Note { service: "web".into(), message: "x".repeat(500) }],
                ..StackPlan::default()
            };
            plan.stacks.insert(name(&format!("a{number:03}")), it);
        }
        let gone = change(ResourceKind::Volume, "data", Action::Remove, Cause::Gone);
        plan.stacks.insert(name("zzz"), StackPlan { changes: vec![gone], ..StackPlan::default() });
        plan
    }

    #[test]
    fn the_verdict_comes_first_and_says_what_is_down_and_why() {
        let plan = usual();
        let page = markdown(&review(&plan), usize::MAX);
        let end = page.find("<details>").expect("details");
        insta::assert_snapshot!(&page[..end], @r"
        ### gitdeploy review: `acme/production`

        `0000000`..`3f2a1c9` `Bigger cache`

        | | stack | change | downtime | risks |
        |---|---|---|---|---|
        | `+/- -/+` | `shop` | `-/+ db: 1 replica, about 4 s down (volume db-data is used by one container at a time)`<br>`+/- web: 4 replicas, no downtime (image, env.CACHE_MB, env.DB_PASSWORD)` | **yes**: `db about 4 s`, `volume db-data is used by one container at a time` | `db: nothing says when it is ready` |

        **Plan: 5 to create, 1 to change, 5 to remove. Downtime: `db about 4 s.`**

        Planned for the hosts as they are now.

        `-/+ shop/db`

        ```diff
        - memory: 1GiB
        + memory: 2GiB
        - db/1 on web-1: acme-shop-db-1-old
        + db/1 on web-1: acme-shop-db-1-new
        ```

        - `shop/db`: `nothing says when it is ready`
        ");
    }

    #[test]
    fn removals_are_never_folded() {
        let plan = destroyed();
        let page = markdown(&review(&plan), usize::MAX);
        let open = &page[..page.find("<details>").unwrap_or(page.len())];
        for change in plan.stacks.values().flat_map(|stack| &stack.changes) {
            assert!(open.contains(&format!("- {}", plan::name(change))), "{open}");
        }
    }

    #[test]
    fn a_review_fits_into_what_a_forge_takes_and_keeps_verdict_and_removals() {
        let plan = large();
        let review = review(&plan);
        let whole = markdown(&review, usize::MAX).len();
        assert!(whole > 100_000, "{whole}");
        for limit in [2_000, 10_000, 65_536] {
            let page = markdown(&review, limit);
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            assert!(page.contains("**Plan: "), "{limit}");
            assert!(page.contains("`volume data` goes with all its data"), "{limit}");
            assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
            assert!(page.contains("more"), "{limit}");
        }
    }

    #[test]
    fn nothing_that_somebody_has_written_makes_it_too_long() {
        let plan = large();
        let long = |text: &str| text.repeat(70_000);
        let mut review = review(&plan);
        review.subject = long("x");
        review.stale = Some(long("@"));
        review.against = long("<");
        review.url = Some(format!("https://ci.example.com/{}", long("x")));
        review.notes = vec![long("&"); 40];
        for (errors, limit) in [(0, 65_536), (40, 65_536), (40, 10_000), (1, 1_000_000)] {
            review.errors = vec![long("\u{1b}`|é"); errors];
            let page = markdown(&review, limit);
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            let verdict = if errors > 0 { "**Cannot be deployed: " } else { "**Plan: " };
            assert!(page.contains(verdict), "{limit}");
            assert!(page.contains("\n> and "), "{limit}: notes are left out");
            assert!(page.contains("`volume data` goes with all its data"), "{limit}");
        }
    }

    #[test]
    fn no_text_leaves_its_place() {
        let plan = usual();
        let mut review = review(&plan);
        review.subject = "`x` | <img> @team\n\n# Fine".into();
        review.notes = vec!["<b>@team\n# x [a](https://x) `y` ![z](q)".into()];
        review.stale = Some("<i>".into());
        review.errors = vec!["a`b|c\n\n- d".into()];
        let page = markdown(&review, usize::MAX);
        let head = page;
        assert!(!head.contains("\n# "), "{head}");
        for tag in ["<b>", "<i>", "[a](", "![z]"] {
            assert!(!head.contains(tag), "{tag}: {head}");
        }
        assert!(!head.contains("\n- d\n"), "{head}");
        assert!(head.contains("- ``a`b\\|c\\u{a}\\u{a}- d``"), "{head}");
    }

    #[test]
    fn only_plain_https_is_linked() {
        let plan = usual();
        let linked = |url: &str| {
            let review = Review { url: Some(url.into()), ..review(&plan) };
            markdown(&review, usize::MAX).contains("[The job](")
        };
        assert!(linked("https://ci.example.com/jobs/1?x=y#z"));
        for url in ["javascript:alert(1)", "http://ci/", "https://x/) [a](b", "https://x/\n"] {
            assert!(!linked(url), "{url}");
        }
    }

    #[test]
    fn a_head_with_errors_is_not_taken_for_good() {
        let plan = usual();
        let mut review = Review { plan: None, ..review(&plan) };
        review.errors = (0..30).map(|n| format!("error {n}")).collect();
        let page = markdown(&review, usize::MAX);
        assert!(page.contains("**Cannot be deployed: 30 errors.**"), "{page}");
        assert!(page.contains("- and 10 more"), "{page}");
    }
}
