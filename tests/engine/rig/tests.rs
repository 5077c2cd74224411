//! The rig itself: what it is to find, it finds; what it makes, it removes.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Class, Executions, Fleet, HostApp, Kind, Load, Relay, Runs, TestHost, Variant, World, alone,
    app_image, docker, get, try_docker,
};

const RTT: Duration = Duration::from_millis(40);

/// Sends load for a while.
fn send_for(load: Load, time: Duration) -> super::Report {
    let running = load.start();
    thread::sleep(time);
    running.finish()
}

/// Waits until something answers at all.
fn wait_for(address: SocketAddr) {
    let since = Instant::now();
    while get(address, "x", "/health").is_err() {
        assert!(since.elapsed() < Duration::from_secs(20), "nothing answers on {address}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn heavy_load_on_a_healthy_application_loses_nothing() {
    let _alone = alone();
    let executions = Executions::listen();
    let app = HostApp::start(&[("REPORT_TO", &executions.for_host())]);
    let report = send_for(Load::heavy(app.address, "x"), Duration::from_secs(4));
    report.assert_nothing_lost();
    report.assert_carried_out_once(&executions);
    let sent = |class| report.classes[&class].sent;
    assert!(sent(Class::Get) > 900 && sent(Class::Post) > 300, "{report}");
    assert!(sent(Class::Slow) >= 4 && sent(Class::Stream) >= 2, "{report}");
    assert!(sent(Class::WebSocket) == 2 && sent(Class::Upload) >= 3, "{report}");
    assert_eq!(report.versions.keys().collect::<Vec<_>>(), ["v1"]);
}

#[test]
fn a_killed_application_is_noticed_by_every_kind_of_client() {
    let _alone = alone();
    let app = HostApp::start(&[]);
    let running = Load::heavy(app.address, "x").start();
    thread::sleep(Duration::from_millis(1500));
    app.process.signal("KILL");
    thread::sleep(Duration::from_millis(500));
    let report = running.finish();
    for (class, tally) in &report.classes {
        assert!(tally.failed > 0 && !tally.failures.is_empty(), "{class:?} saw nothing:\n{report}");
    }
}

#[test]
fn load_through_a_relay_loses_nothing_and_takes_longer() {
    let _alone = alone();
    let app = HostApp::start(&[]);
    let relay = Relay::start(app.address, RTT);
    let report = send_for(Load::heavy(relay.address, "x"), Duration::from_secs(3));
    report.assert_nothing_lost();
    assert!(report.classes[&Class::Get].slowest >= RTT, "{report}");
}

#[test]
fn a_relay_passes_on_that_nobody_listens() {
    let app = HostApp::start(&[]);
    let relay = Relay::start(app.address, RTT);
    assert_eq!(get(relay.address, "x", "/health"), Ok((200, "well\n".to_owned())));
    drop(app);
    assert!(get(relay.address, "x", "/health").is_err());
}

#[test]
fn the_first_answer_through_a_relay_takes_two_round_trips() {
    let app = HostApp::start(&[]);
    let relay = Relay::start(app.address, RTT);
    let since = Instant::now();
    get(relay.address, "x", "/").expect("an answer");
    assert!(since.elapsed() >= RTT * 2, "{:?}", since.elapsed());
}

#[test]
fn a_graceful_application_says_goodbye_and_finishes_what_is_in_flight() {
    let mut app = HostApp::start(&[]);
    let address = app.address;
    let slow = thread::spawn(move || get(address, "x", "/slow?ms=800"));
    let load = Load {
        rate: 1,
        slow: 0,
        streams: 0,
        uploads: 0,
        kept: 1,
        fresh: 0,
        ..Load::light(address, "x")
    };
    let running = load.start();
    thread::sleep(Duration::from_millis(300));
    app.process.signal("TERM");
    assert_eq!(app.process.wait(Duration::from_secs(10)), Some(0));
    assert_eq!(slow.join().expect("a thread").map(|answer| answer.0), Ok(200));
    assert_eq!(running.so_far().goodbyes, 1);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_abrupt_application_ends_at_once() {
    let mut app = HostApp::start(&[("ABRUPT", "1")]);
    let address = app.address;
    let slow = thread::spawn(move || get(address, "x", "/slow?ms=3000"));
    thread::sleep(Duration::from_millis(200));
    app.process.signal("TERM");
    assert_eq!(app.process.wait(Duration::from_secs(1)), Some(143));
    assert!(slow.join().expect("a thread").is_err());
}

#[test]
fn an_application_is_not_ready_before_its_time_and_never_when_it_is_ill() {
    let late = HostApp::start(&[("READY_AFTER_MS", "600")]);
    assert_eq!(get(late.address, "x", "/health"), Ok((503, "not ready\n".to_owned())));
    thread::sleep(Duration::from_millis(700));
    assert_eq!(get(late.address, "x", "/health"), Ok((200, "well\n".to_owned())));
    let ill = HostApp::start(&[("FAIL_HEALTH", "1")]);
    assert_eq!(get(ill.address, "x", "/health"), Ok((503, "ill\n".to_owned())));
    assert_eq!(get(ill.address, "x", "/").map(|answer| answer.0), Ok(200));
}

#[test]
fn the_images_of_the_application_run_in_the_engine_and_go_with_their_world() {
    let mut world = World::new("rig-images");
    let owned = format!("gitdeploy.project={}", world.project);
    let port = world.ports.next();
    let publish = format!("127.0.0.1:{port}:8080");
    let image = world.tag("web:1", Variant::V2);
    docker(&["network", "create", "--label", &owned, &world.project]);
    docker(&["volume", "create", "--label", &owned, &world.project]);
    let mut run = vec!["run", "-d", "--label", &owned, "-p", &publish, "-v", "/data"];
    run.extend(["--network", &world.project, &image]);
    docker(&run);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for(address);
    let (status, body) = get(address, "x", "/").expect("an answer");
    assert_eq!((status, body.starts_with("v2 ")), (200, true), "{body}");
    assert_eq!(world.running(None).len(), 1);
    let project = world.project.clone();
    drop(world);
    assert!(try_docker(&["network", "inspect", &project], Vec::new()).is_err());
    assert!(try_docker(&["volume", "inspect", &project], Vec::new()).is_err());
    assert!(try_docker(&["image", "inspect", &image], Vec::new()).is_err());
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("label={owned}")]), "");
}

#[test]
fn what_containers_carry_out_is_known_after_they_are_gone() {
    let _alone = alone();
    let executions = Executions::listen();
    let world = World::new("rig-executions");
    let owned = format!("gitdeploy.project={}", world.project);
    let report = format!("REPORT_TO={}", executions.for_containers());
    docker(&["network", "create", "--label", &owned, &world.project]);
    let port = world.ports.next();
    let publish = format!("127.0.0.1:{port}:8080");
    let image = app_image(Variant::V1);
    let mut run = vec!["run", "-d", "--label", &owned, "--network", &world.project];
    run.extend(["-p", &publish, "-e", &report, &image]);
    docker(&run);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for(address);
    let sent = send_for(Load::light(address, "x"), Duration::from_secs(1));
    drop(world);
    sent.assert_nothing_lost();
    assert!(sent.acknowledged.len() >= 8, "{sent}");
    sent.assert_carried_out_once(&executions);
}

#[test]
fn a_crashing_image_exits_with_its_code() {
    let world = World::new("rig-crash");
    let label = format!("gitdeploy-test={}", world.project);
    let image = app_image(Variant::Crash);
    let problem = try_docker(&["run", "--rm", "--label", &label, &image], Vec::new());
    assert!(problem.is_err());
    let image = app_image(Variant::Bad);
    let shell = ["run", "--rm", "--label", &label, &image, "sh", "-c", "echo $FAIL_HEALTH"];
    assert_eq!(docker(&shell), "1");
}

/// What sends everything to one server, from `port` on.
fn all_to(kind: Kind, port: u16, server: SocketAddr) -> String {
    match kind {
        Kind::Nginx => format!(
            "map $http_upgrade $rig {{ '' close; default upgrade; }}\n\
             server {{ listen {port}; location / {{ proxy_pass http://{server};\n\
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $rig;\n\
             proxy_http_version 1.1; }} }}\n"
        ),
        Kind::Haproxy => format!(
            "frontend public\n  bind :{port}\n  default_backend rig\n\
             backend rig\n  server one {server}\n"
        ),
    }
}

#[test]
fn proxies_start_with_their_owners_page_and_follow_the_managed_file() {
    for kind in [Kind::Nginx, Kind::Haproxy] {
        for runs in [Runs::OnHost, Runs::InContainer] {
            let world = World::new("rig-proxy").with_proxy(kind, runs);
            let proxy = &world.proxies[0];
            let page = Ok((200, super::FOREIGN_PAGE.to_owned()));
            assert_eq!(get(proxy.foreign, "x", "/"), page, "{}", proxy.log());
            assert_eq!(proxy.managed(), None);
            // Whoever listens: the owner's own page, from its own address.
            let (port, server) = match runs {
                Runs::OnHost => (proxy.address.port(), proxy.foreign),
                Runs::InContainer => (80, SocketAddr::from(([127, 0, 0, 1], 8081))),
            };
            let text = all_to(kind, port, server);
            proxy.edit(&text);
            assert_eq!(proxy.managed(), Some(text));
            let test = proxy.test();
            assert_eq!(test.code, 0, "{test:?}");
            proxy.reload();
            wait_for(proxy.address);
            assert_eq!(get(proxy.address, "x", "/"), page, "{}", proxy.log());
            proxy.edit("nonsense\n");
            assert_ne!(proxy.test().code, 0);
        }
    }
}

/// Load through a proxy of the host, far away, while it is reloaded a few times.
fn reloaded(kind: Kind) -> super::Report {
    let app = HostApp::start(&[]);
    let world = World::new("rig-reload").with_proxy(kind, Runs::OnHost);
    let proxy = &world.proxies[0];
    proxy.edit(&all_to(kind, proxy.address.port(), app.address));
    proxy.reload();
    wait_for(proxy.address);
    let relay = Relay::start(proxy.address, RTT);
    let running = Load { uploads: 0, ..Load::heavy(relay.address, "x") }.start();
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(500));
        proxy.reload();
    }
    thread::sleep(Duration::from_millis(500));
    running.finish()
}

#[test]
fn requests_that_a_careless_reload_loses_on_the_wire_are_seen() {
    let _alone = alone();
    for kind in [Kind::Nginx, Kind::Haproxy] {
        let report = reloaded(kind);
        let lost = report.classes[&Class::Get].failed + report.classes[&Class::Post].failed;
        assert!(lost > 4, "{kind:?}\n{report}");
        assert!(report.sent() > lost * 5, "{kind:?}\n{report}");
        println!("{kind:?}\n{report}");
    }
}

#[test]
fn the_program_takes_a_world_as_its_repository() {
    let world = World::new("rig-world").with_proxy(Kind::Haproxy, Runs::OnHost);
    world.write(
        "stacks/shop/compose.yaml",
        format!(
            "services:\n  web:\n    image: {}\n    x-gitdeploy:\n      \
             routes: [{{host: shop.example.com, port: 8080}}]\n      health: {{http: /health}}\n",
            app_image(Variant::V1)
        ),
    );
    let commit = world.commit("First");
    let ended = world.run(&["validate"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains(&commit[..7]), "{ended:?}");
    assert!(ended.took < Duration::from_secs(20), "{ended:?}");
}

#[test]
fn a_fleet_has_engines_and_proxies_of_its_own_and_survives_a_power_cut() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = format!("rig-fleet-{}", std::process::id());
    let fleet = Fleet::start(&name, &["one", "two"], folder.path());
    let image = app_image(Variant::V1);
    fleet.load(&image);
    let one = fleet.host("one");
    one.start_proxy(Kind::Nginx);
    fleet.host("two").start_proxy(Kind::Haproxy);
    one.docker(&["run", "-d", "--name", "app", "--restart", "always", "-p", "20001:8080", &image]);
    let at = |host: &TestHost, port| SocketAddr::from((host.address, port));
    wait_for(at(one, 20001));
    wait_for(at(fleet.host("two"), 8081));
    one.kill();
    assert!(get(at(one, 20001), "app", "/").is_err());
    one.revive();
    wait_for(at(one, 20001));
    wait_for(at(one, 8081));
    one.restart_engine();
    wait_for(at(one, 20001));
    one.restart_ssh();
    one.unplug();
    assert!(get(at(one, 8081), "app", "/").is_err());
    one.plug();
    wait_for(at(one, 8081));
}
