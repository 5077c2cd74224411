use serde_json::Value;

use super::sample::{SECRET, change, destroyed, field, file, heading, name, nothing, usual};
use super::*;
use crate::model::{
    Action, Cause, CommitId, Downtime, Nanos, Note, Plan, ProxyFile, ResourceKind, Seen, StackPlan,
    Step,
};

fn plain(plan: &Plan) -> String {
    text(plan, &heading(), Style::default())
}

/// A plan with one change in each of the ways there are.
fn varied() -> Plan {
    let service = |of: &str, action, cause, count| {
        let mut it = change(ResourceKind::Service, of, action, cause);
        it.count = count;
        it
    };
    let mut plan = usual();
    let mut added = service("added", Action::Create, Cause::Added, (0, 2));
    added.fields = vec![field("image", None, Some("app:1"))];
    let mut ill =
        service("ill", Action::ReplaceStartFirst, Cause::Unhealthy(SECRET.into()), (2, 2));
    ill.causes.push(Cause::Drifted);
    ill.fields = vec![field("labels.note", Some("two words"), None)];
    let mut slow = service("slow", Action::ReplaceStopFirst, Cause::Asked, (1, 1));
    slow.downtime =
        Downtime::About { time: Nanos(90_000_000_000), reason: "host port 53 is fixed".into() };
    let changes = vec![
        added,
        ill,
        service("scaled", Action::Update, Cause::Scaled, (2, 4)),
        slow,
        change(ResourceKind::Network, "inner", Action::Create, Cause::Added),
    ];
    plan.stacks.insert(name("api"), StackPlan { changes, ..StackPlan::default() });
    plan.files.push(ProxyFile { cause: Cause::Drifted, old: None, ..file("edge-2") });
    plan
}

/// A plan whose names and words come from somebody with bad intentions.
fn hostile() -> Plan {
    let evil = "\u{1b}[31m\u{202e}|`<b>@all\nPlan: 0 to create";
    let mut plan = usual();
    let shop = plan.stacks.get_mut("shop").expect("the stack");
    shop.changes[0].name = evil.into();
    shop.changes[0].fields.push(field(evil, Some(evil), Some("x")));
    shop.changes[1].downtime = Downtime::About { time: Nanos(0), reason: evil.into() };
    shop.notes.push(Note { service: evil.into(), message: evil.into() });
    plan.files[0].new.push_str(evil);
    plan
}

#[test]
fn a_stack_that_is_wanted_at_another_commit_is_headed_by_that() {
    let mut plan = usual();
    plan.commits.insert(name("shop"), CommitId::new("18bae69f0f6b"));
    let page = plain(&plan);
    assert!(page.starts_with("shop  18bae69  production\n"), "{page}");
}

#[test]
fn a_usual_plan_reads_as_documented() {
    insta::assert_snapshot!(plain(&usual()), @r#"
    shop  3f2a1c9 "Bigger cache"  production

      +/- web   4 replicas, no downtime      (image, env.CACHE_MB, env.DB_PASSWORD)
            image            registry/shop:1.4.1 → registry/shop:1.4.2
            env.CACHE_MB     "64" → "256"
            env.DB_PASSWORD  (sensitive) → (sensitive, changed)
      -/+ db    1 replica, about 4 s down    (volume db-data is used by one container at a time)
            memory  1GiB → 2GiB
      ~   edge  nginx on edge-1              (4 servers change)
            --- /etc/nginx/conf.d/gitdeploy.conf
            +++ /etc/nginx/conf.d/gitdeploy.conf
            @@ -1,3 +1,3 @@
             upstream shop.web.8080 {
            -    server 127.0.0.1:20000;
            +    server 127.0.0.1:20004;
             }
      note: db: nothing says when it is ready

    Unchanged: api, mail.

    Steps:
       1. web  pull registry/shop:1.4.2 on web-1
       2. web  create 4 containers on web-1
       3. web  start 4 containers on web-1
       4. web  wait until 4 containers on web-1 are ready, at most 1 min
       5. web  switch edge on edge-1: 4 servers come, 4 go
       6. web  wait until edge has let go of 4 servers, at most 30 s
       7. web  run pre_stop in 4 containers on web-1
       8. web  stop 4 containers on web-1
       9. web  remove 4 containers on web-1
      10. db   stop acme-shop-db-1-old
      11. db   remove acme-shop-db-1-old
      12. db   create acme-shop-db-1-new
      13. db   start acme-shop-db-1-new
      14. db   wait until acme-shop-db-1-new is ready, at most 1 min
      15.      record 3f2a1c9 on web-1

    Plan: 5 to create, 1 to change, 5 to remove. Downtime: db about 4 s.
    "#);
}

#[test]
fn every_kind_of_change_has_its_symbol_and_its_reason() {
    let mut plan = varied();
    plan.steps.truncate(1);
    insta::assert_snapshot!(plain(&plan), @r#"
    api  3f2a1c9 "Bigger cache"  production

      +   added          2 replicas                          (new in the commit)
            image  app:1
      +/- ill            2 replicas, no downtime             (not healthy; drifted: labels.note)
            labels.note  "two words" → (unset)
      ~   scaled         2 → 4 replicas, no downtime         (another number of replicas)
      -/+ slow           1 replica, about 1 min 30 s down    (asked for; host port 53 is fixed)
      +   network inner                                      (new in the commit)

    shop  3f2a1c9 "Bigger cache"  production

      +/- web  4 replicas, no downtime      (image, env.CACHE_MB, env.DB_PASSWORD)
            image            registry/shop:1.4.1 → registry/shop:1.4.2
            env.CACHE_MB     "64" → "256"
            env.DB_PASSWORD  (sensitive) → (sensitive, changed)
      -/+ db   1 replica, about 4 s down    (volume db-data is used by one container at a time)
            memory  1GiB → 2GiB
      note: db: nothing says when it is ready

    proxies  3f2a1c9 "Bigger cache"  production

      ~   edge  nginx on edge-1    (4 servers change)
            --- /etc/nginx/conf.d/gitdeploy.conf
            +++ /etc/nginx/conf.d/gitdeploy.conf
            @@ -1,3 +1,3 @@
             upstream shop.web.8080 {
            -    server 127.0.0.1:20000;
            +    server 127.0.0.1:20004;
             }
      +   edge  nginx on edge-2    (edited by hand; 4 servers change)
            --- /dev/null
            +++ /etc/nginx/conf.d/gitdeploy.conf
            @@ -0,0 +1,3 @@
            +upstream shop.web.8080 {
            +    server 127.0.0.1:20004;
            +}

    Unchanged: mail.

    Steps:
      1. web  pull registry/shop:1.4.2 on web-1

    Plan: 6 to create, 2 to change, 5 to remove. Downtime: api/slow about 1 min 30 s, shop/db about 4 s.
    "#);
}

#[test]
fn what_goes_and_what_was_not_seen_is_said() {
    insta::assert_snapshot!(plain(&destroyed()), @r#"
    shop  3f2a1c9 "Bigger cache"  production

      -   web              2 replicas           (not in the commit any more)
      -   network default                       (not in the commit any more)
      -   volume data      with all its data    (not in the commit any more)

    Steps:
      1. remove volume acme-production-shop-data on web-1

    Not seen, and left as it is:
      host web-2: connection refused

    Plan: 0 to create, 0 to change, 4 to remove. Downtime: none.
    "#);
}

#[test]
fn nothing_to_do_is_one_line() {
    assert_eq!(plain(&nothing()), "No changes. 3 stacks are as commit 3f2a1c9 wants them.\n");
}

#[test]
fn a_narrow_terminal_gets_reasons_and_values_on_lines_of_their_own() {
    let mut plan = usual();
    plan.steps.truncate(1);
    let style = Style { width: 60, ..Style::default() };
    insta::assert_snapshot!(text(&plan, &heading(), style), @r#"
    shop  3f2a1c9 "Bigger cache"  production

      +/- web  4 replicas, no downtime
            (image, env.CACHE_MB, env.DB_PASSWORD)
            image            registry/shop:1.4.1
                           → registry/shop:1.4.2
            env.CACHE_MB     "64" → "256"
            env.DB_PASSWORD  (sensitive) → (sensitive, changed)
      -/+ db   1 replica, about 4 s down
            (volume db-data is used by one container at a time)
            memory  1GiB → 2GiB
      note: db: nothing says when it is ready

    proxies  3f2a1c9 "Bigger cache"  production

      ~   edge  nginx on edge-1    (4 servers change)
            --- /etc/nginx/conf.d/gitdeploy.conf
            +++ /etc/nginx/conf.d/gitdeploy.conf
            @@ -1,3 +1,3 @@
             upstream shop.web.8080 {
            -    server 127.0.0.1:20000;
            +    server 127.0.0.1:20004;
             }

    Unchanged: api, mail.

    Steps:
      1. web  pull registry/shop:1.4.2 on web-1

    Plan: 5 to create, 1 to change, 5 to remove. Downtime: db about 4 s.
    "#);
}

#[test]
fn every_step_is_shown_when_asked_for() {
    let style = Style { all_steps: true, ..Style::default() };
    let page = text(&usual(), &heading(), style);
    for step in &usual().steps {
        assert!(page.contains(&step.op.words()), "{}", step.op.words());
    }
    assert!(page.contains("14. edge-1: switch edge on edge-1  after 4, 7, 10, 13\n"), "{page}");
    assert!(page.contains("shop/web/2 on web-1  acme-shop-web-2-old → acme-shop-web-2-new"));
}

#[test]
fn a_line_of_steps_stands_below_all_that_it_needs() {
    let mut plan = usual();
    // Another service's steps in between change nothing.
    let db: Vec<Step> = plan.steps.drain(27..32).collect();
    plan.steps.splice(0..0, db);
    let lines = steps::folded(&plan, &name("shop"));
    let at = |words: &str| lines.iter().position(|line| line.words.starts_with(words));
    let order = ["pull", "create 4", "start 4", "wait until 4", "switch", "wait until edge"];
    let places: Vec<_> = order.iter().map(|words| at(words).expect(words)).collect();
    assert!(places.is_sorted(), "{lines:#?}");
    assert_eq!(lines.len(), 15);
}

#[test]
fn colour_only_repeats_what_the_words_say() {
    let style = Style { color: true, ..Style::default() };
    for plan in [usual(), varied(), destroyed(), nothing()] {
        let coloured = text(&plan, &heading(), style);
        let mut bare = String::new();
        for (number, part) in coloured.split("\u{1b}[").enumerate() {
            let part = if number == 0 { part } else { part.split_once('m').expect("a code").1 };
            bare.push_str(part);
        }
        assert_eq!(bare, plain(&plan));
    }
}

#[test]
fn the_last_line_is_the_same_in_every_form() {
    for plan in [usual(), varied(), destroyed(), nothing()] {
        let last = plain(&plan).lines().last().map(str::to_owned);
        assert_eq!(json(&plan, &heading())["summary"].as_str().map(str::to_owned), last);
    }
}

#[test]
fn names_from_a_repository_start_no_line_and_move_no_cursor() {
    let page = plain(&hostile());
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    assert_eq!(page.lines().filter(|line| line.starts_with("Plan:")).count(), 1, "{page}");
    let page = markdown(&hostile(), &heading(), None);
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 6, "{row}");
    }
}

#[test]
fn no_form_shows_a_secret() {
    let mut plan = varied();
    let shop = plan.stacks.get_mut("shop").expect("the stack");
    shop.changes[0].fields.push(field("env.API_TOKEN", Some(SECRET), Some("hunter2-new")));
    shop.changes[0].fields.push(field("env.PLAIN", Some("hidden"), None));
    let lines = format!("password {SECRET};\n# proxy http://u:{SECRET}@x/\n");
    plan.files[0].new.push_str(&lines);
    let style = Style { all_steps: true, ..Style::default() };
    let pages = [
        text(&plan, &heading(), style),
        plain(&plan),
        json(&plan, &heading()).to_string(),
        markdown(&plan, &heading(), None),
    ];
    for page in pages {
        assert!(!page.contains("hunter2"), "{page}");
        assert!(page.contains("API_TOKEN"), "the name stays");
    }
}

#[test]
fn a_sensitive_value_is_left_out_and_named() {
    let value = json(&usual(), &heading());
    let change = &value["resource_changes"][0]["change"];
    assert_eq!(change["actions"], serde_json::json!(["create", "delete"]));
    assert_eq!(change["before"]["env.CACHE_MB"], "64");
    assert_eq!(change["after"].get("env.DB_PASSWORD"), None);
    assert_eq!(change["after_sensitive"], serde_json::json!({"env.DB_PASSWORD": true}));
}

#[test]
fn every_plan_in_json_is_as_its_schema_says() {
    for plan in [usual(), varied(), destroyed(), nothing(), hostile()] {
        let value = json(&plan, &heading());
        let mut wrong = Vec::new();
        check(&schema(), &schema(), &value, "", &mut wrong);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_plan() {
    let mut value = json(&usual(), &heading());
    value["steps"][0]["operation"] = "dance".into();
    value["totals"]["create"] = "5".into();
    value["more"] = 1.into();
    let mut wrong = Vec::new();
    check(&schema(), &schema(), &value, "", &mut wrong);
    wrong.sort();
    assert_eq!(
        wrong,
        ["/more: not in the schema", "/steps/0/operation: not allowed", "/totals/create: type"]
    );
}

/// As much of JSON Schema as ours uses; stricter in that no key may be missing in it.
fn check(root: &Value, schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let definition = root.pointer(&reference[1..]).expect("a definition");
        return check(root, definition, value, path, wrong);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut wrong = Vec::new();
            check(root, choice, value, path, &mut wrong);
            wrong.is_empty()
        });
        if !fits {
            wrong.push(format!("{path}: fits nothing"));
        }
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |name: &Value| name == kind || (kind == "integer" && name == "number");
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) if kinds.iter().any(is_kind) => {}
        name if is_kind(name) => {}
        _ => wrong.push(format!("{path}: type")),
    }
    let is_allowed = schema["enum"].as_array().is_none_or(|it| it.contains(value));
    if !is_allowed || schema.get("const").is_some_and(|only| only != value) {
        wrong.push(format!("{path}: not allowed"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(root, &schema["items"], item, &format!("{path}/{number}"), wrong);
    }
    let Some(object) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(key) {
            wrong.push(format!("{path}/{key}: missing"));
        }
    }
    for (key, item) in object {
        let path = format!("{path}/{key}");
        match schema["properties"].get(key).or(schema.get("additionalProperties")) {
            Some(schema) => check(root, schema, item, &path, wrong),
            None => wrong.push(format!("{path}: not in the schema")),
        }
    }
}

#[test]
fn a_review_has_its_table_first_and_folds_what_destroys_nothing() {
    let mut plan = usual();
    plan.steps.truncate(1);
    insta::assert_snapshot!(markdown(&plan, &heading(), None), @r#"
    ### gitdeploy plan: `production` `3f2a1c9` `Bigger cache`

    | | stack | what | extent | why |
    |---|---|---|---|---|
    | `+/-` | `shop` | `service web` | `4 replicas, no downtime` | `image, env.CACHE_MB, env.DB_PASSWORD` |
    | `-/+` | `shop` | `service db` | `1 replica, about 4 s down` | `volume db-data is used by one container at a time` |
    | `~` |  | `proxy edge` | `nginx on edge-1` | `4 servers change` |

    `-/+ shop/db`

    ```diff
    - memory: 1GiB
    + memory: 2GiB
    - db/1 on web-1: acme-shop-db-1-old
    + db/1 on web-1: acme-shop-db-1-new
    ```

    - `shop/db`: `nothing says when it is ready`

    <details><summary>+/- shop/web</summary>

    ```diff
    - image: registry/shop:1.4.1
    + image: registry/shop:1.4.2
    - env.CACHE_MB: "64"
    + env.CACHE_MB: "256"
    - env.DB_PASSWORD: (sensitive)
    + env.DB_PASSWORD: (sensitive, changed)
    - web/1 on web-1: acme-shop-web-1-old
    + web/1 on web-1: acme-shop-web-1-new
    - web/2 on web-1: acme-shop-web-2-old
    + web/2 on web-1: acme-shop-web-2-new
    - web/3 on web-1: acme-shop-web-3-old
    + web/3 on web-1: acme-shop-web-3-new
    - web/4 on web-1: acme-shop-web-4-old
    + web/4 on web-1: acme-shop-web-4-new
    ```

    </details>

    <details><summary>edge: /etc/nginx/conf.d/gitdeploy.conf</summary>

    ```diff
    --- /etc/nginx/conf.d/gitdeploy.conf
    +++ /etc/nginx/conf.d/gitdeploy.conf
    @@ -1,3 +1,3 @@
     upstream shop.web.8080 {
    -    server 127.0.0.1:20000;
    +    server 127.0.0.1:20004;
     }
    ```

    </details>

    <details><summary>steps</summary>

    ```text
    shop:
      1. web: pull registry/shop:1.4.2 on web-1
    ```

    </details>

    **Plan: 5 to create, 1 to change, 5 to remove. Downtime: `db about 4 s.`**
    "#);
}

#[test]
fn a_short_review_keeps_its_table_and_its_verdict() {
    let whole = markdown(&varied(), &heading(), None);
    let limit = 1_500;
    assert!(whole.len() > limit);
    let page = markdown(&varied(), &heading(), Some(limit));
    assert!(page.len() <= limit, "{}", page.len());
    assert_eq!(page.matches("| `").count(), whole.matches("| `").count());
    assert!(page.contains("left out for their length"), "{page}");
    assert_eq!(page.lines().last(), whole.lines().last());
}

#[test]
fn what_destroys_is_the_last_to_leave_a_table_that_is_too_long() {
    let page = markdown(&varied(), &heading(), Some(700));
    assert!(page.len() <= 700, "{}", page.len());
    assert!(page.contains("| `-/+` | `shop` | `service db` |"), "{page}");
    assert!(page.contains("more |"), "{page}");
    assert!(!page.contains("service scaled"), "{page}");
}

#[test]
fn a_hidden_value_has_no_text() {
    let hidden = field("env.X", Some("hidden"), None);
    assert_eq!(hidden.old, Some(Seen::Hidden));
    assert_eq!(phrase::values(&hidden), ("(sensitive)".to_owned(), "(unset)".to_owned()));
}
