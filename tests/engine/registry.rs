//! Images from a real registry: what a tag stands for, who may ask, and a registry that is away.

use std::time::Duration;

use super::rig::{Ended, PASSWORD, Registry, Variant, World, docker};

const FILE: &str = "stacks/shop/compose.yaml";
const LIMIT: Duration = Duration::from_secs(400);

/// A world with a registry, in which the program has a login for it.
fn with_registry(name: &str) -> (Registry, World) {
    let world = World::new(name);
    let registry = Registry::start(&world);
    registry.login(&world.path().with_file_name(".docker"), PASSWORD);
    (registry, world)
}

fn service(image: &str, policy: &str) -> String {
    format!(
        "services:\n  web:\n    image: {image}\n    pull_policy: {policy}\n    \
         stop_grace_period: 1s\n    x-gitdeploy: {{health: {{tcp: 8080, interval: 100ms}}}}\n"
    )
}

/// Whatever happens, no form of the password is said.
fn silent(ended: Ended) -> Ended {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("ci:{PASSWORD}"));
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(PASSWORD) && !text.contains(&pair), "{text}");
    }
    ended
}

fn run(world: &World, arguments: &[&str]) -> Ended {
    silent(world.run(arguments))
}

/// The version that each container of a stack runs.
fn versions(world: &World, stack: &str) -> Vec<String> {
    let names = world.running(Some(stack));
    let env = |name: &String| docker(&["inspect", "-f", "{{json .Config.Env}}", name]);
    let version = |env: String| ["v1", "v2"].into_iter().find(|it| env.contains(&format!("={it}")));
    names.iter().map(|name| version(env(name)).unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_tag_that_moved_is_a_difference_and_is_rolled_out() {
    let (registry, world) = with_registry("moved");
    let first = registry.push("app:1", Variant::V1);
    world.write(FILE, service(&registry.name("app:1"), "always"));
    world.commit("first");
    run(&world, &["apply", "-y"]).succeeded();
    assert_eq!(versions(&world, "shop"), ["v1"]);
    run(&world, &["plan", "--detailed-exitcode"]).succeeded();
    let held = docker(&["inspect", "-f", "{{.Image}}", &world.running(None)[0]]);
    let second = push_beside(&registry, Variant::V2, &held);
    assert_ne!(first, second);
    let plan = run(&world, &["plan", "--detailed-exitcode"]);
    plan.ended_with(2);
    assert!(plan.stdout.contains(&second[..19]), "{}", plan.stdout);
    run(&world, &["apply", "-y"]).succeeded();
    assert_eq!(versions(&world, "shop"), ["v2"]);
    run(&world, &["plan", "--detailed-exitcode"]).succeeded();
}

/// Pushes another image under the tag and lets the engine have the first one under it again.
fn push_beside(registry: &Registry, variant: Variant, held: &str) -> String {
    let digest = registry.push("app:1", variant);
    docker(&["tag", held, &registry.name("app:1")]);
    digest
}

#[test]
fn a_login_that_is_refused_names_server_and_image() {
    let (registry, world) = with_registry("login");
    registry.push("app:1", Variant::V1);
    let image = registry.name("app:1");
    world.write(FILE, service(&image, "missing"));
    world.commit("first");
    registry.login(&world.path().with_file_name(".docker"), "wrong-password");
    let refused = run(&world, &["apply", "-y"]);
    refused.ended_with(1);
    let (server, said) = (registry.server(), &refused.stderr);
    for words in [&image, "the login of `ci`", &format!("docker login {server}"), "nothing was"] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    assert!(!said.contains("wrong-password"), "{said}");
    assert!(world.running(None).is_empty());
}

#[test]
fn a_login_of_the_inventory_comes_before_that_of_docker() {
    let (registry, world) = with_registry("given");
    registry.push("app:1", Variant::V1);
    registry.login(&world.path().with_file_name(".docker"), "wrong-password");
    let login =
        |key: &str| format!("registries: {{'{}': {{username: ci, {key}}}}}\n", registry.server());
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).expect("a file");
    world.write("inventory.yaml", inventory.clone() + &login("password_env: SECRET"));
    world.write(FILE, service(&registry.name("app:1"), "missing"));
    world.commit("first");
    let without = run(&world, &["apply", "-y"]);
    without.ended_with(1);
    assert!(without.stderr.contains("the variable SECRET is not set"), "{}", without.stderr);
    let with = world.run_with(&["apply", "-y"], &[("SECRET", PASSWORD)], LIMIT);
    silent(with).succeeded();
    let file = world.path().with_file_name("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("a file");
    let login = login(&format!("password_file: {}", file.display()));
    world.write("inventory.yaml", inventory + &login);
    world.write(FILE, service(&registry.name("app:1"), "always"));
    world.commit("second");
    run(&world, &["apply", "-y"]).succeeded();
}

#[test]
fn a_credential_helper_is_asked_for_its_registry() {
    use std::os::unix::fs::PermissionsExt as _;
    let (registry, world) = with_registry("helper");
    registry.push("app:1", Variant::V1);
    let home = world.path().with_file_name(".docker");
    let config = serde_json::json!({"credHelpers": {registry.server(): "gitdeploytest"}});
    std::fs::write(home.join("config.json"), config.to_string()).expect("a file");
    let helper = home.join("docker-credential-gitdeploytest");
    let answer = serde_json::json!({"Username": "ci", "Secret": PASSWORD}).to_string();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = get ] && [ \"$(cat)\" = '{}' ] && echo '{answer}'\n",
        registry.server()
    );
    std::fs::write(&helper, script).expect("a file");
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    world.write(FILE, service(&registry.name("app:1"), "missing"));
    world.commit("first");
    let path = format!("{}:{}", home.display(), std::env::var("PATH").unwrap_or_default());
    silent(world.run_with(&["apply", "-y"], &[("PATH", &path)], LIMIT)).succeeded();
    assert_eq!(versions(&world, "shop"), ["v1"]);
}

#[test]
fn a_registry_that_is_away_keeps_nobody_from_what_is_there() {
    let (mut registry, world) = with_registry("away");
    registry.push("app:1", Variant::V1);
    let image = registry.name("app:1");
    world.write(FILE, service(&image, "always"));
    world.commit("first");
    run(&world, &["apply", "-y"]).succeeded();
    registry.end();
    world.write(FILE, service(&image, "always") + "    environment: {LEVEL: '2'}\n");
    world.commit("second");
    let plan = run(&world, &["plan", "--detailed-exitcode"]);
    plan.ended_with(2);
    assert!(plan.stdout.contains("did not say whether"), "{}", plan.stdout);
    run(&world, &["apply", "-y"]).succeeded();
    // What is not there cannot be had, and nothing is touched.
    let before = world.running(None);
    world.write(FILE, service(&registry.name("app:2"), "missing"));
    world.commit("third");
    let failed = run(&world, &["apply", "-y"]);
    failed.ended_with(1);
    assert!(failed.stderr.contains("cannot be reached"), "{}", failed.stderr);
    assert!(failed.stderr.contains("nothing was changed"), "{}", failed.stderr);
    assert_eq!(world.running(None), before);
}

/// The service that runs has what it needs, and would be replaced.
#[test]
fn a_pull_that_fails_leaves_the_whole_stack_as_it_was() {
    let (registry, world) = with_registry("pull");
    registry.push("app:1", Variant::V1);
    let image = registry.name("app:1");
    world.write(FILE, service(&image, "missing"));
    world.commit("first");
    run(&world, &["apply", "-y"]).succeeded();
    let before = world.running(None);
    registry.push_fresh("late:1");
    registry.lose_layers();
    let web = service(&image, "missing") + "    environment: {LEVEL: '2'}\n";
    world.write(FILE, web + &format!("  late: {{image: {}}}\n", registry.name("late:1")));
    world.commit("second");
    let failed = run(&world, &["apply", "-y"]);
    failed.ended_with(1);
    assert!(failed.stderr.contains("late"), "{}", failed.stderr);
    assert_eq!(world.running(None), before);
}

#[test]
fn a_digest_is_pulled_as_it_is_and_never_asked_for_again() {
    let (mut registry, world) = with_registry("pinned");
    let digest = registry.push("app:1", Variant::V1);
    registry.push("app:1", Variant::V2);
    let image = format!("{}@{digest}", registry.name("app"));
    world.write(FILE, service(&image, "missing"));
    world.commit("first");
    run(&world, &["apply", "-y"]).succeeded();
    assert_eq!(versions(&world, "shop"), ["v1"]);
    registry.end();
    let plan = run(&world, &["plan", "--detailed-exitcode"]);
    plan.succeeded();
    assert!(!plan.stdout.contains("did not say whether"), "{}", plan.stdout);
}

#[test]
fn two_stacks_with_one_tag_run_the_same() {
    let (registry, world) = with_registry("twice");
    registry.push("app:1", Variant::V1);
    let image = registry.name("app:1");
    world.write(FILE, service(&image, "missing"));
    world.write("stacks/blog/compose.yaml", service(&image, "always"));
    world.commit("first");
    run(&world, &["apply", "-y"]).succeeded();
    let held = docker(&["inspect", "-f", "{{.Image}}", &world.running(None)[0]]);
    push_beside(&registry, Variant::V2, &held);
    run(&world, &["apply", "-y"]).succeeded();
    assert_eq!(versions(&world, "shop"), ["v2"]);
    assert_eq!(versions(&world, "blog"), ["v2"]);
    run(&world, &["plan", "--detailed-exitcode"]).succeeded();
}
