use super::*;
use crate::files::Memory;
use crate::settings::testing::told;

fn read(text: &str) -> (Option<Rules>, String) {
    let files = Memory::new().with("/etc/gitdeploy/sync.yaml", text);
    let (sources, mut problems) = (Sources::default(), Vec::new());
    let rules = load_daemon(&files, &sources, "/etc/gitdeploy/sync.yaml", &mut problems);
    (rules, told(&sources, &problems))
}

fn good(text: &str) -> Rules {
    let (rules, told) = read(text);
    rules.unwrap_or_else(|| panic!("{told}"))
}

fn only(rules: &Rules) -> &Source {
    rules.sources.values().next().expect("a source")
}

#[test]
fn a_source_needs_nothing_but_its_repository() {
    let rules = good("sources: {shop: {repository: 'https://git.example.com/acme/shop.git'}}\n");
    let expected = Source::of("https://git.example.com/acme/shop.git".to_owned());
    assert_eq!(only(&rules), &expected);
    assert_eq!((rules.listen, rules.token, rules.rounds), (None, None, 4));
}

#[test]
fn everything_can_be_said() {
    let rules = good(
        "listen: 127.0.0.1:8090
token: {file: token}
rounds: 2
notify:
  - {kind: slack, url: {env: SLACK_URL}, about: [failed, rolled-back], sources: [shop]}
  - {kind: mail, server: 'smtps://mail.example.com:465', from: a@b, to: [c@d], about: [waits],
     login: {user: a, password: {env: P}}}
sources:
  shop:
    repository: ./shop
    branch: release
    environment: production
    interval: 30s
    look: 1m
    signed_by: {ssh: signers}
    webhook: {kind: gitlab-signed, secret: {env: HOOK}}
    forge: {kind: gitea, api: 'https://git.example.com/api/v1', repository: acme/shop,
            token: {file: /run/secrets/forge}}
    mode: plan-only
    windows:
      - {name: office, kind: allow, schedule: '0 9 * * 1-5', duration: 8h, zone: Europe/Berlin,
         allows_orders: true}
    retry: {limit: 2, pause: 1s, max: 1m}
    heal: {rounds: 3, within: 5m}
    ignore: [web.image]
    max_deletes: 1
    stacks:
      db: {mode: {paused: 'it is being moved', until: '2026-03-01T00:00:00Z'}, windows: []}
",
    );
    let source = only(&rules);
    assert_eq!(rules.token, Some(Secret::File("/etc/gitdeploy/token".into())));
    assert_eq!(source.repository, "/etc/gitdeploy/./shop");
    assert_eq!(source.signed_by, Some(Signers::Ssh("/etc/gitdeploy/signers".into())));
    assert_eq!(source.hook.as_ref().map(|hook| hook.kind), Some(HookKind::GitlabSigned));
    assert_eq!(source.forge.as_ref().map(|forge| forge.repository.as_str()), Some("acme/shop"));
    assert_eq!(source.every.mode, Mode::PlanOnly);
    assert_eq!(source.every.windows.len(), 1);
    assert_eq!(source.every.retry.limit, 2);
    assert_eq!(rules.notify.len(), 2);
}

#[test]
fn a_stack_has_what_its_source_says_but_for_what_it_says_itself() {
    let rules = good(
        "sources:
  shop:
    repository: /srv/shop
    retry: {limit: 2}
    windows: [{name: night, kind: deny, schedule: '0 0 * * *', duration: 6h}]
    stacks:
      db: {mode: {paused: 'it is being moved'}, retry: {pause: 1m}, windows: []}
",
    );
    let name = StackName::from(Name::parse("db").expect("a name"));
    let db = only(&rules).rules(&name);
    assert_eq!(db.mode, Mode::Paused { until: None, reason: "it is being moved".to_owned() });
    assert_eq!((db.retry.limit, db.retry.pause), (2, Duration::from_secs(60)));
    assert!(db.windows.is_empty());
    let other = StackName::from(Name::parse("web").expect("a name"));
    assert_eq!(only(&rules).rules(&other).windows.len(), 1);
}

#[test]
fn all_mistakes_are_told_at_their_places() {
    let (rules, told) = read(
        "listen: localhost
token: {env: A, file: b}
notify:
  - {kind: mail, about: [failed]}
sources:
  shop:
    repositry: x
    interval: 0s
    signed_by: {}
    windows:
      - {name: a, kind: allow, schedule: '0 9 * *', duration: 1h}
      - {name: a, kind: allow, schedule: '0 9 * * *', duration: 1h, zone: Mars/Olympus}
    stacks:
      db: {mode: manual}
",
    );
    assert_eq!(rules, None);
    insta::assert_snapshot!(told, @"
    /etc/gitdeploy/sync.yaml:1:9: `listen`: `localhost` is no socket address: it is written IP:PORT
        help: a socket address looks like `127.0.0.1:8090`
    /etc/gitdeploy/sync.yaml:7:5: `repositry` is no key of source (`sources.shop`)
        help: did you mean `repository`?
    /etc/gitdeploy/sync.yaml:8:15: `sources.shop.interval`: `0s` is no duration: it must be longer than 0
        help: a duration looks like `1m30s`
    /etc/gitdeploy/sync.yaml:14:18: `sources.shop.stacks.db.mode` must be `automatic` or `plan-only`, not `manual`
    /etc/gitdeploy/sync.yaml:7:5: `sources.shop` needs the key `repository`
    /etc/gitdeploy/sync.yaml:11:42: `0 9 * *` in UTC is no schedule: it has 4 fields; minute, hour, day, month and weekday are 5
        help: as in a crontab: `0 9 * * 1-5` is nine o'clock on working days
    /etc/gitdeploy/sync.yaml:12:42: `0 9 * * *` in Mars/Olympus is no schedule: failed to find timezone Mars/Olympus
        help: as in a crontab: `0 9 * * 1-5` is nine o'clock on working days
    /etc/gitdeploy/sync.yaml:9:16: `signed_by` needs either `ssh` or `gpg`, and not both
    /etc/gitdeploy/sync.yaml:2:8: `token` needs either `env` or `file`, and not both
    /etc/gitdeploy/sync.yaml:4:5: a notification of the kind `mail` needs `server`
    /etc/gitdeploy/sync.yaml:4:5: a notification of the kind `mail` needs `from`
    /etc/gitdeploy/sync.yaml:4:5: a notification of the kind `mail` needs `to`
    ");
}

#[test]
fn a_file_that_is_missing_or_empty_says_so() {
    let files = Memory::new().with("empty.yaml", "");
    let mut problems = Vec::new();
    for path in ["empty.yaml", "none.yaml"] {
        assert_eq!(load_daemon(&files, &Sources::default(), path, &mut problems), None);
    }
    let told: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
    assert_eq!(told, ["`empty.yaml` is empty: it names no source", "there is no file `none.yaml`"]);
}
