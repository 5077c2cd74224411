//! No secret leaves in any output, and what is not ours is left as it is.

use std::collections::BTreeMap;

use super::rig::{FOREIGN_PAGE, Kind, Runs, Variant, World, docker, get, try_docker};
use super::rollout::stack;
use super::shop::{FILE, HOST, leases, printed, until};

/// Values that must not be seen, by where they are planted.
const SECRETS: [(&str, &str); 6] = [
    ("a variable with a telling name", "s3cr3t-in-variable-1f"),
    ("the password of a URL", "s3cr3t-in-url-2e"),
    ("a file of the commit", "s3cr3t-in-file-3d"),
    ("a variable of the process", "s3cr3t-in-process-4c"),
    ("a token in a file of variables", "s3cr3t-in-env-file-5b"),
    ("a key that a template gives", "s3cr3t-in-values-6a"),
];

/// What the process has, under `pass_env`.
const PROCESS: [(&str, &str); 1] = [("API_KEY", "s3cr3t-in-process-4c")];

/// Everything that was printed so far, with what printed it.
#[derive(Default)]
struct Printed(Vec<(String, String)>);

impl Printed {
    /// Runs the program, and keeps what it printed.
    fn run(&mut self, world: &World, arguments: &[&str]) -> super::rig::Ended {
        let limit = std::time::Duration::from_secs(120);
        let ended = world.run_with(arguments, &PROCESS, limit);
        self.0.push((arguments.join(" "), printed(&ended)));
        ended
    }

    fn assert_holds_no_secret(&self) {
        for (whence, text) in &self.0 {
            for (what, secret) in SECRETS {
                assert!(!text.contains(secret), "{what} is shown by `{whence}`:\n{text}");
            }
        }
    }
}

/// A stack that has secrets wherever one may be, with the release's own `generation` of them.
fn plant(world: &World, image: &str, generation: u32) {
    let project = &world.project;
    world.write(
        "gitdeploy.yaml",
        format!(
            "project: {project}\npass_env: [API_KEY]\nenvironments: {{test: {{values: [values.yaml]}}}}\n"
        ),
    );
    world.write("values.yaml", format!("key: s3cr3t-in-values-6a-{generation}\n"));
    world.write("stacks/shop/pin.txt", format!("s3cr3t-in-file-3d-{generation}\n"));
    world.write(
        "stacks/shop/more.env",
        format!("ACCESS_TOKEN=s3cr3t-in-env-file-5b-{generation}\n"),
    );
    let variables = format!(
        "environment: {{DB_PASSWORD: s3cr3t-in-variable-1f-{generation}, DATABASE_URL: \
         'postgres://shop:s3cr3t-in-url-2e-{generation}@db/shop', SIGNING_KEY: '{{{{ values.key }}}}', "
    );
    let more = "    env_file: [more.env]\n    secrets: [pin, key]\n";
    let text = stack(world, image, 1, more)
        .replace("environment: {", &variables)
        .replace("within: 30s", "within: 3s");
    let end = "secrets:\n  pin: {file: ./pin.txt}\n  key: {environment: API_KEY}\n";
    let old = world.path().join(FILE);
    drop(std::fs::remove_file(old));
    world.write(&format!("{FILE}.j2"), text + end);
}

#[test]
fn no_secret_is_in_any_output() {
    let mut world = World::new("secrets").with_proxy(Kind::Nginx, Runs::OnHost);
    let (good, ill) = (world.tag("one", Variant::V1), world.tag("two", Variant::Bad));
    let mut printed = Printed::default();
    plant(&world, &good, 1);
    let first = world.commit("first");
    printed.run(&world, &["-v", "plan"]).succeeded();
    printed.run(&world, &["plan", "--format", "json"]).succeeded();
    printed.run(&world, &["plan", "--format", "markdown"]).succeeded();
    printed.run(&world, &["plan", "--out", "the.plan"]).succeeded();
    let plan = std::fs::read_to_string(world.path().join("the.plan")).expect("a plan");
    printed.0.push(("the.plan".to_owned(), plan));
    printed.run(&world, &["-v", "apply", "-y"]).succeeded();
    assert_eq!(
        get(world.proxies[0].address, HOST, "/variable?name=DB_PASSWORD"),
        Ok((200, "s3cr3t-in-variable-1f-1".to_owned())),
        "the application has what it needs"
    );
    let file = get(world.proxies[0].address, HOST, "/file?path=/run/secrets/key");
    assert_eq!(file, Ok((200, "s3cr3t-in-process-4c".to_owned())));

    plant(&world, &good, 2);
    world.commit("other secrets");
    printed.run(&world, &["-v", "plan"]).succeeded();
    printed.run(&world, &["plan", "--format", "json"]).succeeded();
    printed.run(&world, &["plan", "--format", "markdown"]).succeeded();
    printed.run(&world, &["--json", "apply", "-y"]).succeeded();
    printed.run(&world, &["diff", &first, "HEAD"]);
    printed.run(&world, &["status"]).succeeded();
    printed.run(&world, &["status", "--format", "json"]).succeeded();
    seen_by_others(&world, &mut printed);

    plant(&world, &ill, 3);
    world.commit("an ill one");
    printed.run(&world, &["-v", "apply", "-y"]).ended_with(13);
    printed.run(&world, &["--json", "apply", "-y"]).ended_with(13);
    printed.run(&world, &["locks"]).succeeded();
    printed.run(&world, &["destroy", "shop", "-y"]).succeeded();
    printed.assert_holds_no_secret();
}

/// What everyone can read on the engine: labels, names, the proxy's file.
fn seen_by_others(world: &World, printed: &mut Printed) {
    let project = format!("label=gitdeploy.project={}", world.project);
    let kinds: [&[&str]; 3] = [&["ps", "-aq"], &["network", "ls", "-q"], &["volume", "ls", "-q"]];
    for kind in kinds {
        let list: Vec<&str> = kind.iter().copied().chain(["--filter", &project]).collect();
        for id in docker(&list).lines() {
            let labels = match kind[0] {
                "ps" => docker(&["inspect", "-f", "{{json .Config.Labels}} {{.Name}}", id]),
                kind => docker(&[kind, "inspect", "-f", "{{json .Labels}} {{.Name}}", id]),
            };
            printed.0.push((format!("labels of {id}"), labels));
        }
    }
    printed.0.push(("the proxy's file".to_owned(), world.proxies[0].managed().expect("a file")));
}

#[test]
fn what_the_engine_says_of_a_container_that_does_not_start_shows_no_secret() {
    let mut world = World::new("start");
    let image = world.tag("one", Variant::V1);
    // The engine quotes the command that it cannot run.
    world.write(
        FILE,
        format!(
            "services:\n  web:\n    image: {image}\n    environment: {{DB_PASSWORD: \
             s3cr3t-in-variable-1f}}\n    command: [/nowhere, --password=s3cr3t-in-variable-1f]\n"
        ),
    );
    world.commit("first");
    let mut printed = Printed::default();
    printed.run(&world, &["apply", "-y"]).ended_with(13);
    assert!(printed.0[0].1.contains("/nowhere"), "{}", printed.0[0].1);
    printed.assert_holds_no_secret();
}

#[test]
fn a_container_that_prints_its_secrets_and_fails_shows_none_of_them() {
    let mut world = World::new("prints");
    let image = world.tag("one", Variant::V1);
    plant(&world, &image, 1);
    drop(std::fs::remove_file(world.path().join(format!("{FILE}.j2"))));
    let says = "echo it fails with $$DB_PASSWORD and $$PASSWORD_ALONE; cat /run/secrets/pin \
                /run/secrets/key; exit 7";
    world.write(
        FILE,
        format!(
            "services:\n  web:\n    image: {image}\n    environment:\n      DB_PASSWORD: \
             s3cr3t-in-variable-1f\n      URL: postgres://me:s3cr3t-in-url-2e@db/x\n      \
             PASSWORD_ALONE: s3cr3t-in-url-2e-too\n    secrets: [pin, key]\n    command: [sh, -c, \
             \"{says}\"]\nsecrets:\n  pin: {{file: ./pin.txt}}\n  key: {{environment: API_KEY}}\n"
        ),
    );
    world.commit("first");
    let mut printed = Printed::default();
    printed.run(&world, &["apply", "-y"]).ended_with(13);
    printed.run(&world, &["--json", "apply", "-y"]).ended_with(13);
    assert!(printed.0[0].1.contains("it fails with ***"), "{}", printed.0[0].1);
    printed.assert_holds_no_secret();
}

#[test]
fn a_mistake_beside_a_secret_is_shown_without_it() {
    let mut world = World::new("mistake");
    let image = world.tag("one", Variant::V1);
    let text = format!(
        "services:\n  web:\n    image: {image}\n    environment: {{DB_PASSWORD: \
         s3cr3t-in-variable-1f, OTHER: [1]}}\n"
    );
    world.write(FILE, text);
    world.commit("first");
    let mut printed = Printed::default();
    for arguments in [&["plan"][..], &["apply", "-y"], &["--json", "apply", "-y"], &["validate"]] {
        let ended = printed.run(&world, arguments);
        ended.ended_with(1);
    }
    assert!(printed.0[0].1.contains("OTHER"), "{}", printed.0[0].1);
    printed.assert_holds_no_secret();
}

#[test]
fn leases_show_no_secret() {
    let mut world = World::new("leases");
    let image = world.tag("one", Variant::V1);
    let text = stack(&world, &image, 1, "").replace("      routes:\n", "").replace(
        "READY_AFTER_MS: '700'",
        "READY_AFTER_MS: '4000', DB_PASSWORD: s3cr3t-in-variable-1f",
    );
    world.write(FILE, text);
    world.commit("first");
    let mut child = world.command(&["apply", "-y"]).spawn().expect("the program starts");
    until("a lease", || !leases(&world).is_empty());
    let mut printed = Printed::default();
    printed.run(&world, &["locks"]).succeeded();
    for (id, _) in leases(&world) {
        printed.0.push(("the lease".to_owned(), docker(&["inspect", &id])));
    }
    assert!(child.wait().expect("it ends").success());
    printed.assert_holds_no_secret();
}

/// Things of somebody else on the same engine and the same proxy.
struct Foreign {
    container: String,
    network: String,
    volume: String,
}

impl Foreign {
    fn make(world: &World) -> Self {
        let name = format!("{}-foreign", world.project);
        let image = super::rig::app_image(Variant::V1);
        let label = format!("gitdeploy-test={}", world.project);
        docker(&["network", "create", "--label", &label, &name]);
        docker(&["volume", "create", "--label", &label, &name]);
        let mount = format!("{name}:/data");
        // Compose's labels with our project's name, and none of ours.
        let compose = format!("com.docker.compose.project={}", world.project);
        docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            &label,
            "--label",
            &compose,
            "--label",
            "com.docker.compose.service=web",
            "--network",
            &name,
            "-v",
            &mount,
            &image,
        ]);
        docker(&["exec", &name, "sh", "-c", "echo mine > /data/file"]);
        Self { container: name.clone(), network: name.clone(), volume: name }
    }

    /// All that can be asked about it.
    fn seen(&self, world: &World) -> BTreeMap<&'static str, String> {
        let page = get(world.proxies[0].foreign, "owner", "/").map(|it| it.1);
        BTreeMap::from([
            (
                "container",
                docker(&[
                    "inspect",
                    "-f",
                    "{{.Id}} {{json .State}} {{json .Config}} {{json .NetworkSettings}} {{json .Mounts}}",
                    &self.container,
                ]),
            ),
            ("network", docker(&["network", "inspect", &self.network])),
            ("volume", docker(&["volume", "inspect", &self.volume])),
            ("file", docker(&["exec", &self.container, "cat", "/data/file"])),
            ("page", page.expect("an answer")),
            ("configuration", world.proxies[0].foreign_files()),
        ])
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(try_docker(&["rm", "-fv", &self.container], Vec::new()));
        drop(try_docker(&["network", "rm", &self.network], Vec::new()));
        drop(try_docker(&["volume", "rm", "-f", &self.volume], Vec::new()));
    }
}

fn leaves_alone(kind: Kind) {
    let mut world = World::new("foreign").with_proxy(kind, Runs::OnHost);
    let foreign = Foreign::make(&world);
    let comment = "# mine\n";
    world.proxies[0].add_foreign(comment);
    let before = foreign.seen(&world);
    assert_eq!(before["page"], FOREIGN_PAGE);
    let image = world.tag("one", Variant::V1);
    let more = "    volumes: ['data:/data']\n    networks: [inner]\n";
    let text = stack(&world, &image, 1, more) + "volumes: {data: {}}\nnetworks: {inner: {}}\n";
    world.write(FILE, &text);
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    assert_eq!(foreign.seen(&world), before);
    world.write(FILE, text.replace("READY_AFTER_MS: '700'", "READY_AFTER_MS: '100'"));
    world.commit("second");
    world.run(&["apply", "-y"]).succeeded();
    assert_eq!(foreign.seen(&world), before);
    world.run(&["destroy", "shop", "--volumes", "-y"]).succeeded();
    assert_eq!(foreign.seen(&world), before);
    let project = format!("label=gitdeploy.project={}", world.project);
    for kind in [&["ps", "-aq"][..], &["network", "ls", "-q"], &["volume", "ls", "-q"]] {
        let list: Vec<&str> = kind.iter().copied().chain(["--filter", &project]).collect();
        assert_eq!(docker(&list), "", "{kind:?}: all that was ours is gone");
    }
}

#[test]
fn what_is_not_ours_is_left_alone_beside_nginx() {
    leaves_alone(Kind::Nginx);
}

#[test]
fn what_is_not_ours_is_left_alone_beside_haproxy() {
    leaves_alone(Kind::Haproxy);
}
