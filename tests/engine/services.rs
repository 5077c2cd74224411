//! Services of many kinds: each runs as its file says, and nothing is left to do afterwards, nor
//! after a restart of its containers.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::rig::{Ended, Variant, World, app_image, docker, try_docker};

/// The time that a program without health check must have run is 5 s; this is asked instead.
const HEALTH: &str = "    x-gitdeploy: {health: {tcp: 8080, interval: 100ms}}\n";

/// Says what the image's own settings are, beside those of the application.
const OWN: &str = "HEALTHCHECK --interval=1s CMD [\"ls\", \"/\"]\nSTOPSIGNAL SIGINT\n\
    VOLUME /image-data\nLABEL maker=us\nUSER 1000\nEXPOSE 9000\nWORKDIR /srv\nENV LEVEL=info\n";

/// Containers by service; with several replicas, any of them.
pub(crate) fn containers(world: &World) -> BTreeMap<String, String> {
    let project = format!("label=gitdeploy.project={}", world.project);
    let format = "{{.Label \"gitdeploy.service\"}} {{.Names}}";
    let listed = docker(&["ps", "-a", "--filter", &project, "--format", format]);
    let both = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    listed.lines().filter_map(both).collect()
}

/// What a shell in a service's container prints.
fn inside(world: &World, service: &str, script: &str) -> String {
    let all = containers(world);
    let name = all.get(service).unwrap_or_else(|| panic!("{service} is not in {all:?}"));
    docker(&["exec", name, "sh", "-c", script])
}

fn deploy(world: &World, services: &str) {
    world.write("stacks/k/compose.yaml", format!("services:\n{services}"));
    world.commit("services");
    world.run(&["apply", "-y"]).succeeded();
    assert_nothing_to_do(world);
}

fn plan(world: &World) -> Ended {
    world.run(&["plan", "--detailed-exitcode"])
}

fn assert_nothing_to_do(world: &World) {
    plan(world).succeeded();
}

/// Restarts every container that runs, as a reboot would.
fn restart(world: &World) {
    let names = world.running(None);
    let mut restart = vec!["restart", "-t", "1"];
    restart.extend(names.iter().map(String::as_str));
    docker(&restart);
}

/// An image with settings of its own.
fn image_of_its_own(world: &mut World) -> String {
    let tag = world.tag("own", Variant::V1);
    let dockerfile = format!("FROM {}\n{OWN}", app_image(Variant::V1));
    try_docker(&["build", "-q", "-t", &tag, "-"], dockerfile.into()).expect("an image");
    tag
}

#[test]
fn settings_of_an_image_are_no_difference() {
    let mut world = World::new("own");
    let image = image_of_its_own(&mut world);
    world.write("stacks/k/app.env", "FROM_FILE=yes\n");
    deploy(
        &world,
        &format!(
            "  as-is: {{image: {image}}}
  over:
    image: {image}
    command: [sleep, '1000']
    user: '0'
    working_dir: /tmp
    hostname: boss
    healthcheck: {{disable: true}}
    stop_signal: SIGKILL
    stop_grace_period: 1s
    labels: {{maker: me, extra: '1'}}
    env_file: app.env
    environment: {{LEVEL: debug, EMPTY: ''}}
  entry:
    image: {image}
    entrypoint: [sh, -c]
    command: [sleep 1000]
    stop_grace_period: 0s
    init: true
    healthcheck: {{test: ls /, interval: 1s, timeout: 1s, retries: 2, start_period: 1s}}
"
        ),
    );
    assert_eq!(inside(&world, "as-is", "echo $LEVEL $PWD"), "info /srv");
    let over =
        inside(&world, "over", "echo $LEVEL $FROM_FILE \"<$EMPTY>\" $PWD $(cat /etc/hostname)");
    assert_eq!(over, "debug yes <> /tmp boss");
    assert!(inside(&world, "entry", "cat /proc/1/cmdline").contains("init"));
    restart(&world);
    assert_nothing_to_do(&world);
}

#[test]
fn limits_and_rights_are_no_difference() {
    let world = World::new("limits");
    let image = app_image(Variant::V1);
    deploy(
        &world,
        &format!(
            "  limits:
    image: {image}
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    ulimits: {{nofile: {{soft: 1000, hard: 2000}}, nproc: 500}}
    sysctls: {{net.core.somaxconn: 1024}}
    shm_size: 32m
    logging: {{driver: json-file, options: {{max-size: 1m, max-file: '2'}}}}
    restart: on-failure:3
    oom_score_adj: 100
{HEALTH}  rights:
    image: {image}
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    read_only: true
    tmpfs: [/tmp, '/run:size=1m,mode=1777']
    group_add: ['1234']
    restart: always
{HEALTH}  names:
    image: {image}
    extra_hosts: ['friend:10.0.0.9']
    dns: [10.0.0.2]
    dns_search: [example.com]
    dns_opt: ['ndots:2']
    stdin_open: true
    tty: true
    expose: ['7777']
    restart: unless-stopped
{HEALTH}  deployed:
    image: {image}
    deploy:
      replicas: 2
      resources:
        limits: {{cpus: '0.25', memory: 32M, pids: 20}}
        reservations: {{memory: 16M}}
      restart_policy: {{condition: on-failure, max_attempts: 2}}
{HEALTH}"
        ),
    );
    assert_eq!(
        inside(&world, "limits", "ulimit -n; cat /proc/sys/net/core/somaxconn"),
        "1000\n1024"
    );
    assert_eq!(inside(&world, "rights", "touch /x 2>/dev/null || touch /run/x && echo ro"), "ro");
    assert!(inside(&world, "names", "cat /etc/hosts").contains("10.0.0.9\tfriend"));
    restart(&world);
    assert_nothing_to_do(&world);
}

const STORES: &str = "    restart: always
    volumes:
      - data:/data
      - {type: volume, source: data, target: /data-ro, read_only: true}
      - /anonymous
      - ./one.conf:/etc/one.conf:ro
      - ./conf.d:/etc/conf.d:ro
      - ./absent:/absent
      - {type: tmpfs, target: /scratch, tmpfs: {size: 1m, mode: 0o1777}}
    configs:
      - c1
      - {source: c2, target: /c2.txt, mode: 0440, uid: '1000', gid: '1000'}
    secrets:
      - s1
      - {source: s2, target: token, mode: 0400}
";

/// Files where nothing can be written, also below what is empty at each start.
const SEALED: &str = "  sealed:
    read_only: true
    tmpfs: [/run, /tmp]
    configs: [{source: c1, target: /etc/app/one}]
    secrets: [s1]
    volumes: ['./one.conf:/etc/three.conf:ro']
";

/// `volume` is one that is not ours; `folder` one of the host.
fn stores(volume: &str, folder: &str) -> String {
    let image = app_image(Variant::V1);
    format!(
        "  store:\n    image: {image}\n{STORES}      - {{source: s1, target: again}}\n{HEALTH}  \
         outer:\n    image: {image}\n    volumes: ['outer:/outer', '{folder}:/folder']\n{HEALTH}\
         {SEALED}    image: {image}\n{HEALTH}volumes:\n  data: {{labels: {{a: b}}}}\n  outer: {{external: true, name: {volume}}}\n\
         configs: {{c1: {{file: one.conf}}, c2: {{content: \"costs $$5\\n\"}}}}\n\
         secrets: {{s1: {{file: secret.txt}}, s2: {{environment: TOKEN}}}}\n"
    )
}

/// Runs the program with the variable that one of the secrets is.
fn with_token(world: &World, arguments: &[&str]) -> Ended {
    world.run_with(arguments, &[("TOKEN", "hush")], Duration::from_secs(400))
}

#[test]
fn files_and_volumes_are_there_and_follow_the_commit() {
    let world = World::new("stores");
    let (volume, folder) = (format!("{}-outer", world.project), world.path().join("../folder"));
    std::fs::create_dir(&folder).expect("a folder");
    let folder = folder.canonicalize().expect("a path").display().to_string();
    let owned = format!("gitdeploy.project={}", world.project);
    docker(&["volume", "create", "--label", &owned, &volume]);
    world.write(
        "gitdeploy.yaml",
        format!("project: {}\nenvironments: {{test: {{}}}}\npass_env: [TOKEN]\n", world.project),
    );
    world.write("stacks/k/one.conf", "one\n");
    world.write("stacks/k/conf.d/a", "a\n");
    world.write("stacks/k/conf.d/sub/b", "b\n");
    let may_run = world.path().join("stacks/k/conf.d/sub/b");
    std::fs::set_permissions(may_run, Permissions::from_mode(0o755)).expect("a mode");
    world.write("stacks/k/secret.txt", "secret\n");
    world.write("stacks/k/compose.yaml", format!("services:\n{}", stores(&volume, &folder)));
    world.commit("stores");
    with_token(&world, &["apply", "-y"]).succeeded();
    with_token(&world, &["plan", "--detailed-exitcode"]).succeeded();
    let all = "cd /; cat etc/one.conf etc/conf.d/a etc/conf.d/sub/b c1 c2.txt run/secrets/*";
    let seen = inside(&world, "store", all);
    assert_eq!(seen, "one\na\nb\none\ncosts $5\nsecret\nsecret\nhush");
    assert!(inside(&world, "store", "ls -ln /c2.txt").starts_with("-r--r-----    1 1000     1000"));
    assert!(inside(&world, "store", "ls -l /run/secrets/token").starts_with("-r--------"));
    assert!(inside(&world, "store", "ls -l /etc/conf.d/a").starts_with("-rw-r--r--"));
    assert!(inside(&world, "store", "ls -l /etc/conf.d/sub/b").starts_with("-rwxr-xr-x"));
    let sealed = "cat /etc/app/one /etc/three.conf /run/secrets/*; touch /x 2>/dev/null || echo ro";
    assert_eq!(inside(&world, "sealed", sealed), "one\none\nsecret\nro");
    inside(&world, "store", "touch /absent/kept /data/kept /anonymous/gone /scratch/gone");
    inside(&world, "outer", "touch /outer/kept /folder/kept");
    let before = containers(&world);
    restart(&world);
    with_token(&world, &["plan", "--detailed-exitcode"]).succeeded();

    world.write("stacks/k/one.conf", "two\n");
    world.write("stacks/k/conf.d/c", "c\n");
    world.commit("another content");
    let applied = with_token(&world, &["apply", "-y"]);
    applied.succeeded();
    for text in [applied.stdout, applied.stderr] {
        assert!(!text.contains("hush") && !text.contains("secret\n"), "{text}");
    }
    with_token(&world, &["plan", "--detailed-exitcode"]).succeeded();
    assert_ne!(containers(&world)["store"], before["store"]);
    assert_eq!(containers(&world)["outer"], before["outer"]);
    assert_eq!(inside(&world, "store", "cat /etc/one.conf /c1 /etc/conf.d/c"), "two\ntwo\nc");
    let left = inside(&world, "store", "ls /absent /data /data-ro /anonymous /scratch | sort -u");
    assert_eq!(left.matches("kept").count(), 1, "{left}");
    assert!(!left.contains("gone"), "{left}");
}

#[test]
fn a_service_is_on_all_its_networks_from_its_first_moment() {
    let world = World::new("nets");
    let image = app_image(Variant::V1);
    let outer = format!("{}-outer", world.project);
    let owned = format!("gitdeploy.project={}", world.project);
    docker(&["network", "create", "--label", &owned, &outer]);
    let port = world.ports.next();
    deploy(
        &world,
        &format!(
            "  several:
    image: {image}
    # Counts its interfaces at its start.
    command: [sh, -c, 'ls /sys/class/net > /tmp/first; exec /app']
    networks: {{front: {{aliases: [www]}}, back: null, outer: null}}
{HEALTH}  other:
    image: {image}
    networks: [front]
{HEALTH}  host: {{image: {image}, network_mode: host, environment: {{PORT: '{port}'}}}}
  none: {{image: {image}, network_mode: none}}
networks: {{front: {{}}, back: {{internal: true}}, outer: {{external: true, name: {outer}}}}}
"
        ),
    );
    let first = inside(&world, "several", "cat /tmp/first");
    assert_eq!(first.lines().filter(|line| line.starts_with("eth")).count(), 3, "{first}");
    for name in ["several", "www"] {
        let answer = inside(&world, "other", &format!("wget -qO- http://{name}:8080/"));
        assert!(answer.starts_with("v1 "), "{answer}");
    }
    assert!(
        try_docker(
            &["exec", &containers(&world)["none"], "wget", "-qO-", "http://several:8080"],
            Vec::new()
        )
        .is_err()
    );
    let answer = inside(&world, "host", &format!("wget -qO- http://127.0.0.1:{port}/"));
    assert!(answer.starts_with("v1 "), "{answer}");
    restart(&world);
    assert_nothing_to_do(&world);
}

fn chain(world: &World, port: u16, level: u32) -> String {
    let image = app_image(Variant::V1);
    let name = format!("{}-fixed", world.project);
    format!(
        "  fixed:
    image: {image}
    container_name: {name}
    environment: {{LEVEL: '{level}'}}
    ports: ['127.0.0.1:{port}:8080']
    healthcheck: {{test: ls /, interval: 1s}}
{HEALTH}  job:
    image: {image}
    command: [sh, -c, 'cat /proc/uptime > /shared/job']
    volumes: ['shared:/shared']
    depends_on: {{fixed: {{condition: service_healthy}}}}
  last:
    image: {image}
    command: [sh, -c, 'cp /shared/job /shared/seen; exec /app']
    environment: {{LEVEL: '{level}'}}
    volumes: ['shared:/shared']
    depends_on: {{job: {{condition: service_completed_successfully}}, beside: {{condition: service_started}}}}
    post_start: [{{command: [sh, -c, 'echo started > /tmp/hook']}}]
    pre_stop: [{{command: [sh, -c, 'echo stopped > /shared/stop']}}]
{HEALTH}  beside:
    image: {image}
    scale: 2
{HEALTH}volumes: {{shared: {{}}}}
"
    )
}

#[test]
fn dependencies_jobs_hooks_and_fixed_ports_work_at_each_release() {
    let world = World::new("chain");
    let port = world.ports.next();
    deploy(&world, &chain(&world, port, 1));
    let answer = |path: &str| super::rig::get(([127, 0, 0, 1], port).into(), "x", path);
    assert_eq!(answer("/variable?name=LEVEL"), Ok((200, "1".to_owned())));
    assert_eq!(
        inside(&world, "last", "cat /tmp/hook; cmp /shared/job /shared/seen; ls /shared"),
        "started\njob\nseen"
    );
    assert_eq!(world.running(None).iter().filter(|name| name.contains("-beside-")).count(), 2);
    let job = containers(&world)["job"].clone();
    restart(&world);
    assert_nothing_to_do(&world);
    deploy(&world, &chain(&world, port, 2));
    assert_eq!(answer("/variable?name=LEVEL"), Ok((200, "2".to_owned())));
    assert_eq!(inside(&world, "last", "cat /shared/stop"), "stopped");
    assert_eq!(containers(&world)["job"], job, "a job that is done and not changed runs once");
    assert_nothing_to_do(&world);
}

#[test]
fn replicas_change_in_the_batches_and_the_order_that_are_asked_for() {
    let world = World::new("batches");
    let image = app_image(Variant::V1);
    for level in [1, 2] {
        let rolling = |name: &str, order: &str| {
            format!(
                "  {name}:\n    image: {image}\n    environment: {{LEVEL: '{level}'}}\n    deploy:\n      \
                 replicas: 3\n      update_config: {{parallelism: 2, delay: 300ms, monitor: 300ms, \
                 order: {order}}}\n{HEALTH}"
            )
        };
        let services = rolling("new", "start-first") + &rolling("old", "stop-first");
        world.write("stacks/k/compose.yaml", format!("services:\n{services}"));
        world.commit("services");
        if level == 2 {
            let text = plan(&world);
            text.ended_with(2);
            assert!(text.stdout.contains("+/- new  3 replicas, no downtime"), "{}", text.stdout);
            assert!(text.stdout.contains("-/+ old  3 replicas"), "{}", text.stdout);
        }
        world.run(&["apply", "-y"]).succeeded();
        assert_nothing_to_do(&world);
        assert_eq!(world.running(None).len(), 6);
    }
}
