//! Comparisons, on states made by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::model::{
    BindSource, ContainerSpec, Count, EnvironmentName, FileMount, FileSource, Mount, MountKind,
    Name, Nanos, Order, Placement, ProjectName, Reservations, Rollout, ServiceName, ServiceTarget,
    Settled, Strategy,
};

fn service(image: &str) -> ServiceTarget {
    let container = ContainerSpec { image: image.into(), ..ContainerSpec::default() };
    ServiceTarget {
        spec_hash: crate::resolve::spec_hash(&container),
        container,
        replicas: Count::Replicas(2),
        placement: Placement::default(),
        reservations: Reservations::default(),
        rollout: Rollout {
            strategy: Strategy::AllAtOnce,
            update: Order::default(),
            rollback: Order::default(),
            drain_timeout: Nanos(30_000_000_000),
        },
        health: None,
        routes: Vec::new(),
        depends_on: BTreeMap::new(),
        pull_policy: None,
        pre_start: Vec::new(),
        post_start: Vec::new(),
        pre_stop: Vec::new(),
    }
}

/// A state of one stack `shop` with one service `web`.
fn desired(change: impl FnOnce(&mut StackTarget, &mut ServiceTarget)) -> Desired {
    let name = |text| Name::parse(text).expect("a name");
    let mut stack = StackTarget {
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        files: BTreeMap::new(),
        settled: Settled::default(),
    };
    let mut web = service("nginx:1");
    change(&mut stack, &mut web);
    web.spec_hash = crate::resolve::spec_hash(&web.container);
    stack.services.insert(ServiceName::new("web"), Box::new(web));
    Desired {
        project: ProjectName::from(name("acme")),
        environment: EnvironmentName::from(name("production")),
        stacks: BTreeMap::from([(StackName::from(name("shop")), Arc::new(stack))]),
    }
}

fn changes(old: &Desired, new: &Desired) -> Vec<(String, serde_json::Value, serde_json::Value)> {
    let shown = |side: &Option<Shown>| match side {
        None => json!(null),
        Some(Shown::Hidden) => json!("(hidden)"),
        Some(Shown::Value(value)) => value.clone(),
    };
    diff(old, new)
        .items()
        .flat_map(|item| &item.fields)
        .map(|field| (field.path.clone(), shown(&field.old), shown(&field.new)))
        .collect()
}

#[test]
fn equal_states_have_no_differences() {
    assert!(diff(&desired(|_, _| {}), &desired(|_, _| {})).is_empty());
}

#[test]
fn fields_are_compared_one_by_one() {
    let old = desired(|_, web| {
        web.container.env.insert("A".into(), Some("1".into()));
        web.container.env.insert("GONE".into(), Some("x".into()));
    });
    let new = desired(|_, web| {
        web.container.image = "nginx:2".into();
        web.container.env.insert("A".into(), Some("2".into()));
        web.replicas = Count::Replicas(3);
    });
    assert_eq!(
        changes(&old, &new),
        [
            ("env.A".into(), json!("1"), json!("2")),
            ("env.GONE".into(), json!("x"), json!(null)),
            ("image".into(), json!("nginx:1"), json!("nginx:2")),
            ("replicas".into(), json!(2), json!(3)),
        ]
    );
}

#[test]
fn more_replicas_replace_no_container() {
    let more = desired(|_, web| web.replicas = Count::Replicas(9));
    let differences = diff(&desired(|_, _| {}), &more);
    assert!(!differences.stacks[0].items[0].replaces);
    let other = desired(|_, web| web.container.image = "x".into());
    assert!(diff(&desired(|_, _| {}), &other).stacks[0].items[0].replaces);
}

#[test]
fn what_may_be_secret_is_hidden() {
    let with = |value: &str| {
        desired(|_, web| {
            web.container.env.insert("DB_PASSWORD".into(), Some(value.into()));
            web.container.env.insert("UPSTREAM".into(), Some(format!("amqp://u:{value}@mq/")));
            web.container.command = Some(vec!["serve".into(), format!("--db=pg://u:{value}@db/x")]);
            web.container.secrets.push(FileMount {
                source: "pw".into(),
                target: "/run/secrets/pw".into(),
                uid: None,
                gid: None,
                mode: None,
                content: FileSource::Repository {
                    path: Some("pw".into()),
                    digest: format!("digest-of-{value}"),
                },
            });
        })
    };
    let hidden = json!("(hidden)");
    for (path, old, new) in changes(&with("hunter2"), &with("hunter3")) {
        assert_eq!((&old, &new), (&hidden, &hidden), "{path}");
    }
    assert_eq!(changes(&with("hunter2"), &with("hunter3")).len(), 4);
}

#[test]
fn lists_are_compared_by_what_identifies_their_items() {
    let mount = |target: &str, read_only| Mount {
        target: target.into(),
        kind: MountKind::Volume { source: "data".into() },
        read_only,
        options: BTreeMap::new(),
    };
    let old = desired(|_, web| web.container.volumes = vec![mount("/a", None), mount("/b", None)]);
    let new =
        desired(|_, web| web.container.volumes = vec![mount("/b", Some(true)), mount("/a", None)]);
    assert_eq!(changes(&old, &new), [("volumes./b.read_only".into(), json!(null), json!(true))]);
}

#[test]
fn files_are_compared_by_their_contents() {
    let with = |digest: &str, content: &str, executable: &[&str]| {
        desired(|stack, web| {
            let kept: Arc<[u8]> = content.as_bytes().into();
            stack.files.insert(digest.into(), kept);
            let files = BTreeMap::from([("site.conf".to_owned(), digest.to_owned())]);
            web.container.volumes.push(Mount {
                target: "/etc/nginx".into(),
                kind: MountKind::Bind {
                    source: BindSource::Repository {
                        path: "shop/conf".into(),
                        files,
                        executable: executable.iter().map(|it| (*it).to_owned()).collect(),
                    },
                },
                read_only: None,
                options: BTreeMap::new(),
            });
        })
    };
    let differences = diff(&with("1", "listen 80;\n", &[]), &with("2", "listen 81;\n", &[]));
    let item = &differences.stacks[0].items[0];
    assert!(item.fields.is_empty());
    assert_eq!(item.files[0].path, "shop/conf/site.conf");
    assert_eq!(item.files[0].new, Some(Content::Text("listen 81;\n".into())));
    let (old, new) = (with("1", "#!", &[]), with("1", "#!", &["site.conf"]));
    let may_run = "volumes./etc/nginx.source.executable".to_owned();
    assert_eq!(changes(&old, &new), [(may_run, json!(null), json!(["site.conf"]))]);
}

#[test]
fn stacks_come_and_go() {
    let one = desired(|_, _| {});
    let none = Desired { stacks: BTreeMap::new(), ..one.clone() };
    assert_eq!(diff(&none, &one).stacks[0].action, Action::Create);
    assert_eq!(diff(&one, &none).stacks[0].action, Action::Delete);
}
