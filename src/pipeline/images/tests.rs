//! What each host lacks, from what all of them have and what a registry says.

use insta::assert_snapshot;

use super::*;
use crate::model::Identity;

const DAY: Millis = 24 * 60 * 60 * 1000;

fn here(digests: &[&str]) -> Image {
    Image {
        id: Some(format!("id-{}", digests.concat())),
        digests: digests.iter().map(|&digest| digest.to_owned()).collect(),
        tagged_at: Some(DAY),
        ..Image::default()
    }
}

fn nothing() -> Image {
    Image::default()
}

fn found(digest: &str) -> Answer {
    Some(Ok(RegistryImage { digest: digest.to_owned(), platforms: BTreeSet::new() }))
}

/// Each host's image settled; hosts are called `a`, `b` and so on. Those that vote are all that
/// have one.
fn settled(policy: &str, images: &[Image], answer: &Answer) -> String {
    let names: Vec<HostName> =
        (b'a'..).zip(images).map(|(letter, _)| name(&char::from(letter).to_string())).collect();
    let voters: Vec<&Image> = images.iter().filter(|image| image.id.is_some()).collect();
    let sighting = Sighting {
        reference: "r.example.com/web:1",
        pull: Pull::of(Some(policy)),
        clocks: voters.iter().map(|_| 3 * DAY).collect(),
        voters,
        hosts: names.iter().zip(images).collect(),
    };
    let mut lines = vec![if sighting.asks() { "asked" } else { "not asked" }.to_owned()];
    for (host, image) in &sighting.hosts {
        let inventory = Inventory::local();
        let line = match sighting.settle(image, "linux/amd64", answer, &inventory) {
            Err(ImageFault { message, hint }) => format!("{message} ({hint})"),
            Ok(image) => {
                let pull = if image.needs_pull { "pull " } else { "has " };
                let doubt = if image.unchecked.is_some() { ", not checked" } else { "" };
                format!("{pull}{}{doubt}", image.digest.as_deref().unwrap_or("its own"))
            }
        };
        lines.push(format!("{host}: {line}"));
    }
    lines.join("\n")
}

fn name(text: &str) -> HostName {
    crate::model::Name::parse(text).expect("a name").into()
}

#[test]
fn a_host_without_it_gets_what_the_others_run_and_nobody_is_asked() {
    assert_snapshot!(settled("missing", &[here(&["d1"]), nothing()], &None), @r"
    not asked
    a: has d1
    b: pull d1
    ");
}

#[test]
fn hosts_that_differ_all_get_what_the_registry_has() {
    assert_snapshot!(settled("missing", &[here(&["d1"]), here(&["d2"])], &found("d2")), @r"
    asked
    a: pull d2
    b: has d2
    ");
}

#[test]
fn a_moved_tag_is_behind_where_the_policy_asks() {
    assert_snapshot!(settled("always", &[here(&["d1"]), here(&["d1"])], &found("d2")), @r"
    asked
    a: pull d2
    b: pull d2
    ");
    assert_snapshot!(settled("missing", &[here(&["d1"]), here(&["d1"])], &None), @r"
    not asked
    a: has d1
    b: has d1
    ");
}

#[test]
fn an_image_of_several_digests_is_each_of_them() {
    assert_snapshot!(settled("always", &[here(&["d1", "d2"]), here(&["d2"])], &found("d2")), @r"
    asked
    a: has d2
    b: has d2
    ");
}

#[test]
fn a_period_asks_when_it_is_over() {
    assert!(settled("daily", &[here(&["d1"])], &None).starts_with("asked"));
    assert!(settled("weekly", &[here(&["d1"])], &None).starts_with("not asked"));
    assert!(settled("every_12h", &[here(&["d1"])], &None).starts_with("asked"));
}

#[test]
fn a_silent_registry_keeps_nobody_from_what_is_there() {
    let silent = Some(Err(PortError::Unreachable("r.example.com cannot be reached".into())));
    assert_snapshot!(settled("always", &[here(&["d1"]), nothing()], &silent), @r"
    asked
    a: has d1, not checked
    b: r.example.com cannot be reached (see whether the hosts can reach r.example.com, and plan again)
    ");
}

#[test]
fn a_registry_that_refuses_has_answered() {
    let refused = Some(Err(PortError::Refused("r.example.com does not give it".into())));
    assert_snapshot!(settled("always", &[here(&["d1"]), nothing()], &refused), @r"
    asked
    a: r.example.com does not give it (log in with `docker login r.example.com` where gitdeploy runs)
    b: r.example.com does not give it (log in with `docker login r.example.com` where gitdeploy runs)
    ");
    assert_snapshot!(settled("missing", &[here(&["d1"]), here(&["d2"])], &refused), @r"
    asked
    a: has d1, not checked
    b: has d2, not checked
    ");
}

#[test]
fn never_means_never() {
    assert_snapshot!(settled("never", &[here(&["d1"]), here(&["d2"]), nothing()], &None), @r"
    not asked
    a: has d1
    b: has d2
    c: it is not there, and `pull_policy` is `never` (bring it there with `docker load`, or let it be pulled)
    ");
    assert_snapshot!(settled("never", &[nothing()], &None), @r"
    not asked
    a: it is not there, and `pull_policy` is `never` (bring it there with `docker load`, or let it be pulled)
    ");
}

#[test]
fn what_was_built_on_a_host_is_nobodys_older_version() {
    assert_snapshot!(settled("missing", &[here(&[]), nothing()], &None), @r"
    not asked
    a: has its own
    b: it is not there, and the hosts that have it did not pull it (push it to a registry, or bring it there with `docker load`)
    ");
}

#[test]
fn digests_of_other_repositories_say_nothing_of_this_one() {
    let other = here(&["r.example.com/other@d0", "r.example.com/web@d1"]);
    assert_snapshot!(settled("missing", &[other, nothing()], &None), @r"
    not asked
    a: has d1
    b: pull d1
    ");
    // It was only named so: no host can pull it under this name.
    let named = here(&["r.example.com/other@d0"]);
    assert_snapshot!(settled("missing", &[named.clone(), nothing()], &None), @r"
    not asked
    a: has its own
    b: it is not there, and the hosts that have it did not pull it (push it to a registry, or bring it there with `docker load`)
    ");
    // The same bytes need not be pulled again.
    assert_snapshot!(settled("always", &[named], &found("d0")), @r"
    asked
    a: has d0
    ");
}

#[test]
fn a_platform_that_an_index_lacks_is_told_before_anything_is_pulled() {
    let platforms = ["linux/arm64", "linux/riscv64"].map(str::to_owned);
    let answer = Some(Ok(RegistryImage { digest: "d1".into(), platforms: platforms.into() }));
    assert_snapshot!(settled("missing", &[nothing()], &answer), @r"
    asked
    a: there is none for linux/amd64, only for linux/arm64, linux/riscv64 (build it for that platform too, or keep the service away with a constraint on `node.platform.arch`)
    ");
    let one = RegistryImage { digest: "d1".into(), platforms: ["linux/arm64".to_owned()].into() };
    assert_snapshot!(settled("missing", &[nothing()], &Some(Ok(one))), @r"
    asked
    a: pull d1
    ");
}

#[test]
fn a_login_of_the_inventory_is_what_the_hint_speaks_of() {
    let image = nothing();
    let host = name("a");
    let sighting = Sighting {
        reference: "r.example.com/web:1",
        pull: Pull::Missing,
        voters: Vec::new(),
        clocks: Vec::new(),
        hosts: BTreeMap::from([(&host, &image)]),
    };
    let mut inventory = Inventory::local();
    let login = crate::settings::Registry {
        username: "ci".into(),
        password: crate::settings::PasswordSource::Variable("PASSWORD".into()),
    };
    inventory.registries.insert("r.example.com".into(), login);
    let refused = Some(Err(PortError::Refused("no".into())));
    let fault = sighting.settle(&image, "linux/amd64", &refused, &inventory).unwrap_err();
    assert_eq!(fault.hint, "look at `registries` in the inventory, at r.example.com");
}

/// A copy on a host that does not run it says nothing about what is run.
#[test]
fn those_that_run_it_say_what_it_is() {
    let mut observed = Observed::default();
    for (host, digest, runs) in [("a", "d1", true), ("b", "d2", false)] {
        let mut state = crate::model::HostState::default();
        state.images.insert("web:1".into(), Ok(here(&[digest])));
        if runs {
            state.containers.insert("c".into(), container());
        }
        observed.hosts.insert(name(host), Ok(state));
    }
    let used = Use { pull: Pull::Missing, hosts: [name("a"), name("b")].into() };
    let sighting = Sighting::new("web:1", &used, &observed).expect("seen");
    assert_eq!((sighting.asks(), sighting.agreed().as_deref()), (false, Some("d1")));
}

fn container() -> crate::model::LiveContainer {
    use crate::model::{ContainerState, LiveContainer, Owner, Status};
    let state = ContainerState {
        status: Status::Running,
        started_at: 1,
        exit_code: 0,
        restarts: 0,
        health: None,
    };
    let parsed = |text: &str| crate::model::Name::parse(text).expect("a name");
    LiveContainer {
        id: "c".into(),
        name: "c".into(),
        identity: Identity {
            owner: Owner { project: parsed("acme").into(), environment: parsed("p").into() },
            stack: parsed("shop").into(),
            service: crate::model::ServiceName::new("web"),
            slot: 1,
            spec: crate::model::SpecHash::new("0"),
            inputs: String::new(),
            generation: 1,
            commit: crate::model::CommitId::new("0"),
        },
        state,
        image: "id-d1".into(),
        config: serde_json::json!({"Image": "web:1"}).into(),
        addresses: crate::model::Addresses::default(),
    }
}
