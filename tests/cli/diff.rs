//! `diff BASE HEAD`: what it shows, what it hides, how it exits.

use crate::environment::{COMPOSE, Repo};

fn changed() -> Repo {
    let repo = Repo::with(&[
        (
            "stacks/shop/compose.yaml",
            "services:\n  web:\n    image: nginx:1\n    environment: {CACHE_MB: '64', DB_PASSWORD: hunter2}\n    configs: [{source: site, target: /etc/site}]\n  old: {image: x}\nconfigs: {site: {file: ./site.conf}}\n",
        ),
        ("stacks/shop/site.conf", "listen 80;\nroot /srv;\n"),
        ("stacks/gone/compose.yaml", COMPOSE),
    ]);
    std::fs::remove_dir_all(repo.path().join("stacks/gone")).expect("a folder");
    repo.commit(&[
        (
            "stacks/shop/compose.yaml",
            "services:\n  web:\n    image: nginx:2\n    environment: {CACHE_MB: '256', DB_PASSWORD: hunter3}\n    configs: [{source: site, target: /etc/site}]\n    deploy: {replicas: 3}\n  new: {image: x}\nconfigs: {site: {file: ./site.conf}}\nvolumes: {data: {}}\n",
        ),
        ("stacks/shop/site.conf", "listen 81;\nroot /srv;\n"),
        ("stacks/more/compose.yaml", COMPOSE),
    ]);
    repo
}

/// Hashes of commits differ with nothing but the files here, which are the same in every run.
fn without_hashes(text: &str) -> String {
    let is_hash = |word: &str| word.len() == 7 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut words: Vec<&str> = text.split_inclusive([' ', '\n', '.', '`']).collect();
    for word in &mut words {
        let bare = word.trim_end_matches([' ', '\n', '.', '`']);
        if is_hash(bare) {
            *word = if word.ends_with('\n') {
                "HASH\n"
            } else if word.ends_with('`') {
                "HASH`"
            } else {
                "HASH."
            };
        }
    }
    words.concat()
}

#[test]
fn people_see_fields_and_files() {
    let run = changed().run(&["diff", "HEAD~1", "HEAD"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(without_hashes(&run.stdout), @r#"
    - gone  default  HASH..HASH

      - web
      - network default

    + more  default  HASH..HASH

      + web
          image                  "nginx:1.27"
          networks.default       (with default settings)
          replicas               1
          rollout.drain_timeout  "30s"
          rollout.strategy       "all-at-once"
      + network default
          name  "acme-more_default"

    ~ shop  default  HASH..HASH

      + new
          image                  "x"
          networks.default       (with default settings)
          replicas               1
          rollout.drain_timeout  "30s"
          rollout.strategy       "all-at-once"
      - old
      ~ web  (env.CACHE_MB, env.DB_PASSWORD, image, replicas, stacks/shop/site.conf)  new containers
          env.CACHE_MB     "64" → "256"
          env.DB_PASSWORD  (sensitive) → (sensitive, changed)
          image            "nginx:1" → "nginx:2"
          replicas         1 → 3
          --- stacks/shop/site.conf
          +++ stacks/shop/site.conf
          @@ -1,2 +1,2 @@
          -listen 80;
          +listen 81;
           root /srv;

    Diff: 3 to create, 1 to change, 3 to remove.
    "#);
}

#[test]
fn reviews_see_a_table_first() {
    let run = changed().run(&["diff", "HEAD~1", "HEAD", "shop", "--format", "markdown"]);
    insta::assert_snapshot!(without_hashes(&run.stdout), @r#"
    ### gitdeploy diff: `default` `HASH`..`HASH`

    | | stack | item | what |
    |---|---|---|---|
    | `+` | `shop` | `service new` |  |
    | `-` | `shop` | `service old` |  |
    | `~` | `shop` | `service web` | new containers: `env.CACHE_MB, env.DB_PASSWORD, image, replicas, stacks/shop/site.conf` |

    <details><summary>shop/web</summary>

    ```diff
    - env.CACHE_MB: "64"
    + env.CACHE_MB: "256"
    - env.DB_PASSWORD: (sensitive)
    + env.DB_PASSWORD: (sensitive, changed)
    - image: "nginx:1"
    + image: "nginx:2"
    - replicas: 1
    + replicas: 3
    --- stacks/shop/site.conf
    +++ stacks/shop/site.conf
    @@ -1,2 +1,2 @@
    -listen 80;
    +listen 81;
     root /srv;
    ```

    </details>

    Diff: 1 to create, 1 to change, 1 to remove.
    "#);
}

#[test]
fn programs_see_the_names_they_know() {
    let run = changed().run(&["diff", "HEAD~1", "HEAD", "--format", "json"]);
    let diff: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(diff["format_version"], "1.0");
    let changes = diff["resource_changes"].as_array().expect("a list");
    let web = changes.iter().find(|change| change["address"] == "shop/service/web").expect("web");
    assert_eq!(web["change"]["actions"], serde_json::json!(["update"]));
    assert_eq!(web["replaces_containers"], true);
    assert_eq!(web["change"]["before"]["image"], "nginx:1");
    assert_eq!(web["change"]["after"]["image"], "nginx:2");
    assert_eq!(web["change"]["after"]["env.DB_PASSWORD"], serde_json::Value::Null);
    assert_eq!(web["change"]["after_sensitive"]["env.DB_PASSWORD"], true);
}

#[test]
fn no_form_shows_a_secret() {
    let repo = changed();
    for format in ["text", "json", "markdown"] {
        let run = repo.run(&["diff", "HEAD~1", "HEAD", "--format", format]);
        assert!(!run.stdout.contains("hunter"), "{format}");
        assert!(run.stdout.contains("DB_PASSWORD"), "{format}");
    }
}

#[test]
fn the_exit_code_is_kubectls() {
    let repo = changed();
    assert_eq!(repo.run(&["diff", "HEAD", "HEAD"]).code, 0);
    assert_eq!(repo.run(&["diff", "HEAD~1", "HEAD"]).code, 1);
    assert_eq!(repo.run(&["diff", "HEAD~1", "nope"]).code, 2);
    repo.commit(&[("stacks/shop/compose.yaml", "services: {web: {imag: x}}\n")]);
    let run = repo.run(&["diff", "HEAD~1", "HEAD"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("`shop` at `HEAD` has errors"), "{}", run.stderr);
    assert_eq!(repo.run(&["diff", "HEAD~1", "HEAD", "more"]).code, 0, "only the stacks asked for");
}

#[test]
fn names_cannot_break_out_of_markdown() {
    let repo = Repo::with(&[("compose.yaml", "services: {web: {image: x}}\n")]);
    repo.commit(&[(
        "compose.yaml",
        "services: {web: {image: x, environment: {'A|B`<b>@team': '```\n</details>'}}}\n",
    )]);
    let run = repo.run(&["diff", "HEAD~1", "HEAD", "--format", "markdown"]);
    let row = run.stdout.lines().find(|line| line.starts_with("| `~`")).expect("a row");
    assert_eq!(row.matches(" | ").count(), 3, "{row}");
    assert!(run.stdout.contains("````diff"), "{}", run.stdout);
}

#[test]
fn no_name_can_forge_a_line() {
    let repo = Repo::with(&[("compose.yaml", "services: {web: {image: x}}\n")]);
    repo.commit(&[(
        "compose.yaml",
        "services: {web: {image: x, environment: {\"A\\n\\nDiff: no differences.\\e[31m\": \"\\nDiff: no differences.\"}}}\n",
    )]);
    for format in ["text", "markdown"] {
        let run = repo.run(&["diff", "HEAD~1", "HEAD", "--format", format]);
        assert!(!run.stdout.contains('\u{1b}'), "{format}");
        let verdicts = run.stdout.lines().filter(|line| line.starts_with("Diff: "));
        assert_eq!(verdicts.collect::<Vec<_>>(), ["Diff: 0 to create, 1 to change, 0 to remove."]);
    }
}

#[test]
fn secrets_in_files_and_arguments_are_not_shown() {
    let with = |secret: &str| {
        format!(
            "services:\n  web:\n    image: x\n    command: [serve, --token, {secret}]\n    volumes: ['./conf:/conf']\n    secrets: [pw]\n    healthcheck: {{test: 'curl -u admin:{secret} http://x/'}}\nsecrets: {{pw: {{file: ./conf/pw}}}}\n"
        )
    };
    let files = |secret: &str| {
        [
            ("compose.yaml".to_owned(), with(secret)),
            ("conf/pw".to_owned(), format!("{secret}-file")),
            ("conf/server.key".to_owned(), format!("{secret}-key")),
            ("conf/app.ini".to_owned(), format!("port = 1\npassword = {secret}\n")),
        ]
    };
    let repo = Repo::new();
    for secret in ["hunter2", "hunter3"] {
        let files = files(secret);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        repo.commit(&files);
    }
    for format in ["text", "json", "markdown"] {
        let run = repo.run(&["diff", "HEAD~1", "HEAD", "--format", format]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(!run.stdout.contains("hunter"), "{format}: {}", run.stdout);
    }
}

#[test]
fn a_head_whose_stacks_clash_cannot_be_compared() {
    let inventory = "hosts: {h: {docker: 'ssh://h'}}\n";
    let stack = "services: {web: {image: x, ports: ['80:80']}}\n";
    let repo = Repo::with(&[("inventory.yaml", inventory), ("stacks/a/compose.yaml", stack)]);
    repo.commit(&[("stacks/b/compose.yaml", stack)]);
    let run = repo.run(&["diff", "HEAD~1", "HEAD"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("error[ports/conflict]"), "{}", run.stderr);
    assert_eq!(repo.run(&["diff", "HEAD", "HEAD~1"]).code, 1, "the head mends it");
}
