//! The commands over a real deployment: what they say is so, what they change is that alone.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::rig::{
    Background, Kind, Load, Runs, Variant, World, alone, app_image, docker, finish, get, try_docker,
};
use super::rollout::stack;

const HOST: &str = "shop.example.com";
const HEALTH: &str = "health: {tcp: 8080, interval: 100ms}";

/// A service that can be asked for at these hosts and paths.
fn routed(image: &str, level: u32, routes: &[(&str, &str)], proxies: &[&str]) -> String {
    let route = |(host, path): &(&str, &str)| {
        let one = |proxy: &&str| {
            format!("        - {{host: {host}, path: {path}, port: 8080, proxy: {proxy}}}\n")
        };
        proxies.iter().map(one).collect::<String>()
    };
    let routes: String = routes.iter().map(route).collect();
    format!(
        "services:\n  web:\n    image: {image}\n    environment: {{LEVEL: '{level}'}}\n    \
         volumes: ['data:/data']\n    deploy: {{replicas: 2, update_config: {{order: \
         start-first}}}}\n    x-gitdeploy:\n      {HEALTH}\n      drain: {{timeout: 3s}}\n      \
         routes:\n{routes}volumes: {{data: {{}}}}\n"
    )
}

fn names(world: &World) -> Vec<&str> {
    world.proxies.iter().map(|proxy| proxy.name.as_str()).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|problem| panic!("{problem}: {text}"))
}

fn level(proxy: SocketAddr, host: &str) -> String {
    let answer = get(proxy, host, "/variable?name=LEVEL");
    answer.map_or_else(|problem| problem, |(status, body)| format!("{status} {body}"))
}

/// Ids of everything of an owner: containers, networks, volumes.
fn owned(world: &World, kind: &str) -> Vec<String> {
    let label = format!("label=gitdeploy.project={}", world.project);
    let list: &[&str] = match kind {
        "container" => &["ps", "-a", "--format", "{{.Names}}"],
        "network" => &["network", "ls", "--format", "{{.Name}}"],
        _ => &["volume", "ls", "--format", "{{.Name}}"],
    };
    docker(&[list, &["--filter", &label]].concat()).lines().map(str::to_owned).collect()
}

#[test]
fn status_shows_each_replica_with_its_port_and_proxy() {
    let world = World::new("status").with_proxy(Kind::Nginx, Runs::OnHost);
    let image = app_image(Variant::V1);
    let web = routed(&image, 1, &[(HOST, "/")], &names(&world));
    world.write("stacks/shop/compose.yaml", web);
    world.commit("first");
    let before = world.run(&["status"]);
    before.succeeded();
    assert!(before.stdout.contains("missing"), "{}", before.stdout);
    world.run(&["apply", "-y"]).succeeded();
    for name in ["status", "ps"] {
        let text = world.run(&[name]);
        text.succeeded();
        assert!(
            text.stdout.contains("2 containers, 0 not well, as the commit wants it."),
            "{}",
            text.stdout
        );
        assert!(text.stdout.contains(&world.proxies[0].name), "{}", text.stdout);
    }
    let status = json(&world.run(&["status", "--format", "json"]).stdout);
    let replicas = status["replicas"].as_array().expect("a list");
    assert_eq!(replicas.len(), 2, "{status}");
    for replica in replicas {
        let port = replica["ports"][0].as_u64().expect("a port");
        let direct = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port")));
        assert_eq!(level(direct, HOST), "200 1");
        assert_eq!(
            (&replica["well"], &replica["state"]),
            (&true.into(), &"running".into()),
            "{replica}"
        );
        assert_eq!(replica["routed"], serde_json::json!([world.proxies[0].name]));
    }
    assert_eq!((&status["complete"], &status["drift"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn logs_come_from_all_replicas_and_end_with_them() {
    let world = World::new("logs");
    let image = app_image(Variant::V1);
    world.write(
        "stacks/shop/compose.yaml",
        format!(
            "services:\n  web:\n    image: {image}\n    command: [sh, -c, 'for n in 1 2 3; do echo \
             line $$n; done; exec /app']\n    scale: 2\n    stop_grace_period: 1s\n    \
             x-gitdeploy: {{{HEALTH}}}\n"
        ),
    );
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    let all = world.run(&["logs", "shop"]);
    assert_eq!(all.succeeded().stdout.matches("line 2").count(), 2, "{}", all.stdout);
    let tail = world.run(&["logs", "shop/web/1", "--tail", "1", "-t"]);
    let lines: Vec<&str> = tail.succeeded().stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("20") && lines[0].contains("T"), "{lines:?}");
    let since = world.run(&["logs", "shop", "--since", "10m"]);
    assert_eq!(since.succeeded().stdout.matches("line 2").count(), 2);
    world.run(&["logs", "shop/nothing"]).ended_with(1);
    let names = world.running(None);
    let path = world.path();
    let remove = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        drop(path);
        for name in names {
            docker(&["rm", "-f", &name]);
        }
    });
    let follow = world.run_with(&["logs", "-f", "shop/web"], &[], Duration::from_secs(60));
    remove.join().expect("removed");
    assert_eq!(follow.succeeded().stdout.matches("line 3").count(), 2, "{}", follow.stdout);
}

#[test]
fn a_command_runs_in_one_replica_or_in_all_and_its_end_is_ours() {
    let world = World::new("exec");
    let image = app_image(Variant::V1);
    world.write(
        "stacks/shop/compose.yaml",
        format!(
            "services:\n  web:\n    image: {image}\n    environment: {{COLOR: green}}\n    scale: \
             2\n    stop_grace_period: 1s\n    x-gitdeploy: {{{HEALTH}}}\n"
        ),
    );
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    let script = "echo $COLOR-$SIZE; echo wrong >&2; cat; exit 7";
    let of = ["exec", "-e", "SIZE=large", "shop/web/2", "sh", "-c", script];
    let mut command = world.command(&of);
    let ended = finish(&mut command, b"typed\n".to_vec(), Duration::from_secs(60));
    ended.ended_with(7);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("green-large\ntyped\n", "wrong\n"));
    // More than fits into any buffer on the way, there and back.
    let mut command = world.command(&["exec", "shop/web", "--", "sh", "-c", "cat"]);
    let ended = finish(&mut command, vec![b'x'; 4 << 20], Duration::from_secs(60));
    assert_eq!(ended.succeeded().stdout.len(), 4 << 20);
    let all = world.run(&["exec", "--all", "shop/web", "--", "sh", "-c", "echo $HOSTNAME; exit 3"]);
    all.ended_with(3);
    let lines: Vec<&str> = all.stdout.lines().collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(" | ").next()).collect();
    let names = names.into_iter().map(str::trim).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["shop/web.1", "shop/web.2"]);
    // Which of the two depends on the engine.
    let code = world.run(&["exec", "shop/web", "/nothing"]).code;
    assert!([126, 127].contains(&code), "{code}");
    world.run(&["exec", "shop/nothing", "true"]).ended_with(1);
    world.run(&["exec", "shop", "true"]).ended_with(1);
}

#[test]
fn a_person_at_a_terminal_gets_one_in_the_replica() {
    let world = World::new("exec-tty");
    let image = app_image(Variant::V1);
    world.write(
        "stacks/shop/compose.yaml",
        format!("services:\n  web:\n    image: {image}\n    stop_grace_period: 1s\n"),
    );
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    // `script` gives whatever it runs a terminal of its own.
    let program = env!("CARGO_BIN_EXE_gitdeploy");
    let line = format!("stty cols 91; {program} exec shop/web sh; echo left with $?; stty -a");
    let mut command = std::process::Command::new("script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).current_dir(world.path());
    let keys = b"test -t 0 && echo a-terminal; stty size; exit 5\n".to_vec();
    let ended = finish(&mut command, keys, Duration::from_secs(60));
    let seen = &ended.stdout;
    assert!(seen.contains("a-terminal") && seen.contains(" 91"), "{seen}");
    assert!(seen.contains("left with 5"), "{seen}");
    let after = seen.split("left with").nth(1).unwrap_or_default();
    assert!(after.contains(" icanon") && after.contains(" echo "), "not as it was: {after}");
}

#[test]
fn logs_come_in_the_order_of_time_and_go_on_with_the_successor() {
    let world = World::new("order");
    let image = app_image(Variant::V1);
    let text = |word: &str| {
        format!(
            "services:\n  web:\n    image: {image}\n    command: [sh, -c, 'for n in 1 2 3; do echo \
             {word} $$n; sleep 1; done; exec /app']\n    scale: 2\n    stop_grace_period: 1s\n    \
             x-gitdeploy: {{{HEALTH}}}\n"
        )
    };
    world.write("stacks/shop/compose.yaml", text("old"));
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    let all = world.run(&["logs", "shop", "--timestamps"]);
    let moments: Vec<&str> =
        all.succeeded().stdout.lines().filter_map(|it| it.split(' ').nth(2)).collect();
    assert!(moments.len() >= 6 && moments.is_sorted(), "{}", all.stdout);
    let log = world.path().with_file_name("followed");
    let mut command = world.command(&["logs", "-f", "shop/web/1"]);
    let mut follow = Background::start(&mut command, &log);
    world.write("stacks/shop/compose.yaml", text("new"));
    world.commit("second");
    world.run(&["apply", "-y"]).succeeded();
    let read = || std::fs::read_to_string(&log).expect("a file");
    let since = std::time::Instant::now();
    while !read().contains("new 3") && since.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    follow.signal("INT");
    assert_eq!(follow.wait(Duration::from_secs(10)), Some(130));
    for word in ["old 1", "new 1", "new 3"] {
        assert_eq!(read().matches(word).count(), 1, "{word}: {}", read());
    }
}

#[test]
fn a_rollback_brings_back_routes_settings_and_replicas_without_loss() {
    let _alone = alone();
    let world = World::new("back").with_proxy(Kind::Nginx, Runs::OnHost);
    let image = app_image(Variant::V1);
    let proxies = names(&world);
    let at = world.proxies[0].address;
    let text = routed(&image, 1, &[(HOST, "/"), ("old.example.com", "/")], &proxies);
    world.write("stacks/shop/compose.yaml", text);
    let first = world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    let load = Load::light(at, HOST).start();
    let text = routed(&image, 2, &[(HOST, "/"), ("new.example.com", "/")], &proxies);
    world.write("stacks/shop/compose.yaml", text.replace("replicas: 2", "replicas: 3"));
    world.commit("second");
    world.run(&["apply", "-y"]).succeeded();
    assert_eq!(
        (level(at, HOST).as_str(), level(at, "new.example.com").as_str()),
        ("200 2", "200 2")
    );
    assert!(level(at, "old.example.com").starts_with("404"), "{}", level(at, "old.example.com"));
    let text = routed(&image, 3, &[(HOST, "/")], &proxies);
    world.write("stacks/shop/compose.yaml", text);
    world.commit("third");
    world.run(&["apply", "-y"]).succeeded();

    world.run(&["rollback", "-y"]).succeeded();
    assert_eq!(
        (level(at, HOST).as_str(), level(at, "new.example.com").as_str()),
        ("200 2", "200 2")
    );
    assert_eq!(world.running(None).len(), 3);
    world.run(&["rollback", "shop", "--to", &first, "-y"]).succeeded();
    assert_eq!(
        (level(at, HOST).as_str(), level(at, "old.example.com").as_str()),
        ("200 1", "200 1")
    );
    assert!(level(at, "new.example.com").starts_with("404"));
    assert_eq!(world.running(None).len(), 2);
    world.run(&["plan", "--rev", &first, "--detailed-exitcode"]).succeeded();
    load.finish().assert_nothing_lost();
}

#[test]
fn destroy_takes_one_stack_away_and_its_volumes_only_when_told() {
    let world = World::new("destroy").with_proxy(Kind::Haproxy, Runs::OnHost);
    let image = app_image(Variant::V1);
    let proxies = names(&world);
    let at = world.proxies[0].address;
    world.write("stacks/shop/compose.yaml", routed(&image, 1, &[(HOST, "/")], &proxies));
    world.write(
        "stacks/blog/compose.yaml",
        routed(&image, 7, &[("blog.example.com", "/")], &proxies),
    );
    world.commit("first");
    // Two stacks in one run.
    world.run(&["apply", "-y"]).succeeded();
    assert_eq!(
        (level(at, HOST).as_str(), level(at, "blog.example.com").as_str()),
        ("200 1", "200 7")
    );
    let blog = world.running(Some("blog"));
    let volumes = owned(&world, "volume");
    world.run(&["destroy", "shop", "-y"]).succeeded();
    assert_eq!(world.running(Some("shop")), [""; 0]);
    assert_eq!(world.running(Some("blog")), blog);
    let is_data = |name: &&String| name.ends_with("_data");
    assert_eq!(owned(&world, "volume").iter().filter(is_data).count(), 2, "{volumes:?}");
    assert!(owned(&world, "network").iter().all(|name| name.contains("blog")));
    let file = world.proxies[0].managed().expect("a file");
    assert!(!file.contains(HOST) && file.contains("blog.example.com"), "{file}");
    assert_eq!(level(at, "blog.example.com"), "200 7");
    world.run(&["destroy", "shop", "-y"]).succeeded();
    world.run(&["destroy", "shop", "--volumes", "-y"]).succeeded();
    let left = owned(&world, "volume");
    assert!(left.iter().all(|name| name.contains("blog")), "{left:?}");

    // A stack that is no longer in the repository goes, and its data stays.
    world.write("stacks/shop/compose.yaml", routed(&image, 1, &[(HOST, "/")], &proxies));
    std::fs::remove_dir_all(world.path().join("stacks/blog")).expect("a stack");
    world.commit("without blog");
    let plan = world.run(&["plan"]);
    assert!(plan.stdout.contains("not in the commit any more"), "{}", plan.stdout);
    world.run(&["apply", "-y"]).succeeded();
    assert_eq!(world.running(Some("blog")), [""; 0]);
    assert_eq!(owned(&world, "volume").iter().filter(is_data).count(), 2);
    assert_eq!(level(at, HOST), "200 1");
    assert!(!world.proxies[0].managed().expect("a file").contains("blog.example.com"));
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn a_plan_says_the_same_in_each_form_and_can_be_narrowed() {
    let world = World::new("forms");
    let image = app_image(Variant::V1);
    let two = format!(
        "services:\n  web: {{image: {image}, x-gitdeploy: {{{HEALTH}}}}}\n  \
         db: {{image: {image}, x-gitdeploy: {{{HEALTH}}}}}\n"
    );
    world.write("stacks/shop/compose.yaml", two);
    world.commit("first");
    let plan = json(&world.run(&["plan", "--format", "json"]).stdout);
    let text = world.run(&["plan"]).stdout;
    let schema = json(&world.run(&["schema", "plan"]).stdout);
    for key in schema["required"].as_array().expect("a list") {
        assert!(plan.get(key.as_str().expect("a name")).is_some(), "no {key} in {plan}");
    }
    let known = schema["properties"].as_object().expect("properties");
    for key in plan.as_object().expect("an object").keys() {
        assert!(known.contains_key(key), "`{key}` is not in the schema");
    }
    let steps = plan["steps"].as_array().expect("steps");
    let listed = text.lines().filter(|line| {
        line.trim_start().split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    });
    assert_eq!(steps.len(), listed.count(), "{text}\n{plan}");
    let markdown = world.run(&["plan", "--format", "markdown"]).stdout;
    assert!(markdown.contains("web") && markdown.contains("db"), "{markdown}");

    world.run(&["apply", "-y", "--target", "shop/web"]).succeeded();
    assert_eq!(world.running(None).len(), 1);
    let rest = world.run(&["plan", "--exclude", "shop/db", "--detailed-exitcode"]);
    rest.ended_with(0);
    world.run(&["apply", "-y"]).succeeded();
    let before = world.running(None);
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
    let events = world.run(&["apply", "-y", "--replace", "shop/web", "--json"]);
    events.succeeded();
    let after = world.running(None);
    assert_eq!(
        before.iter().filter(|name| after.contains(name)).count(),
        1,
        "{before:?} {after:?}"
    );
    let mut kinds = std::collections::BTreeSet::new();
    for line in events.stdout.lines() {
        let event = json(line);
        for key in ["@level", "@message", "type"] {
            assert!(event[key].is_string(), "no {key}: {line}");
        }
        kinds.insert(event["type"].as_str().expect("a type").to_owned());
    }
    for kind in
        ["planned_change", "change_summary", "apply_start", "apply_complete", "run_complete"]
    {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn several_hostnames_paths_and_ports_go_behind_two_proxies() {
    let world = World::new("many")
        .with_proxy(Kind::Nginx, Runs::OnHost)
        .with_proxy(Kind::Haproxy, Runs::OnHost);
    let image = app_image(Variant::V1);
    let route = |host: &str, path: &str, port: u16, proxy: usize| {
        format!(
            "        - {{host: {host}, path: {path}, port: {port}, proxy: {}}}\n",
            world.proxies[proxy].name
        )
    };
    let mut routes = String::new();
    for proxy in [0, 1] {
        routes += &route(HOST, "/", 8080, proxy);
        routes += &route("www.example.com", "/variable", 8080, proxy);
        routes += &route("admin.example.com", "/", 9090, proxy);
    }
    world.write(
        "stacks/shop/compose.yaml",
        format!(
            "services:\n  web:\n    image: {image}\n    command: [sh, -c, 'PORT=9090 LEVEL=9 /app & \
             exec /app']\n    init: true\n    environment: {{LEVEL: '1'}}\n    scale: 2\n    \
             x-gitdeploy:\n      {HEALTH}\n      drain: {{timeout: 3s}}\n      routes:\n{routes}"
        ),
    );
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    for proxy in &world.proxies {
        assert_eq!(level(proxy.address, HOST), "200 1");
        assert_eq!(level(proxy.address, "www.example.com"), "200 1");
        assert!(get(proxy.address, "www.example.com", "/").expect("an answer").0 == 404);
        assert_eq!(level(proxy.address, "admin.example.com"), "200 9");
    }
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
    world.run(&["apply", "-y", "--replace", "shop/web"]).succeeded();
    for proxy in &world.proxies {
        assert_eq!(level(proxy.address, "admin.example.com"), "200 9");
    }
}

#[test]
fn a_template_of_the_repository_is_used_for_its_proxy() {
    let world = World::new("template").with_proxy(Kind::Nginx, Runs::OnHost);
    let own = format!("{}# our own words\n", include_str!("../../templates/proxy/nginx.conf.j2"));
    world.write("edge.conf.j2", own);
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).expect("a file");
    let inventory =
        inventory.replace("    kind: nginx\n", "    kind: nginx\n    template: ./edge.conf.j2\n");
    world.write("inventory.yaml", inventory);
    let image = app_image(Variant::V1);
    world.write("stacks/shop/compose.yaml", stack(&world, &image, 1, ""));
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    assert!(world.proxies[0].managed().expect("a file").contains("# our own words"));
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
    let own = include_str!("../../templates/proxy/nginx.conf.j2");
    world.write("edge.conf.j2", format!("{own}# other words\n"));
    world.commit("second");
    let plan = world.run(&["plan", "--detailed-exitcode"]);
    plan.ended_with(2);
    world.run(&["apply", "-y"]).succeeded();
    assert!(world.proxies[0].managed().expect("a file").contains("# other words"));
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn a_plain_compose_project_needs_no_file_of_ours() {
    let world = World::new("plain");
    for file in ["gitdeploy.yaml", "inventory.yaml"] {
        std::fs::remove_file(world.path().join(file)).expect("a file");
    }
    let image = app_image(Variant::V1);
    let project = &world.project;
    // The project's name is the folder's, which all worlds share; this one is its own.
    let path = world.path().with_file_name(project);
    let file = format!(
        "services:\n  web:\n    image: {image}\n    labels: {{gitdeploy-test: {project}}}\n    \
         volumes: ['data:/data']\n    healthcheck: {{test: ls /, interval: 1s}}\nvolumes: {{data: {{}}}}\n"
    );
    world.write("compose.yaml", file);
    world.commit("plain");
    std::fs::rename(world.path(), &path).expect("moved");
    let folder = path.display().to_string();
    std::fs::create_dir(world.path()).expect("a folder to run in");
    let run = |arguments: &[&str]| world.run(&[&["-C", &folder][..], arguments].concat());
    run(&["plan", "--detailed-exitcode"]).ended_with(2);
    run(&["apply", "-y"]).succeeded();
    assert_eq!(owned(&world, "container").len(), 1);
    run(&["plan", "--detailed-exitcode"]).succeeded();
    let volumes = owned(&world, "volume");
    assert!(volumes.contains(&format!("{project}_data")), "{volumes:?}");
    run(&["destroy", project, "-y", "--volumes"]).succeeded();
    assert_eq!(owned(&world, "container").len() + owned(&world, "volume").len(), 0);
    assert!(
        try_docker(&["network", "inspect", &format!("{project}_default")], Vec::new()).is_err()
    );
}
