//! What happens to the simulated hosts between two calls, as by the hands of somebody else.
//!
//! | order | what it does |
//! |---|---|
//! | `begin` | a host `web-1`; images `app:1` to `app:3`, `db:1`, `db:2`, `bad:1` (never ready), `job:1` |
//! | `image NAME [never-ready]` | one more image in the registry |
//! | `image NAME moved` | its tag stands for another image from now on |
//! | `job STACK/SERVICE` | its containers do their work and end |
//! | `host NAME down`, `host NAME up` | whether it answers |
//! | `proxy NAME rejects`, `accepts`, `stuck`, `edited` | what its proxy does with files |
//! | `crash STACK/SERVICE/SLOT`, `take STACK/SERVICE/SLOT` | its container ends, or is removed |
//! | `change STACK/SERVICE/SLOT POINTER JSON` | its configuration, by a JSON pointer |
//! | `lease STACK HOLDER` | somebody else begins to change a stack |
//! | `occupy HOST PORT` | somebody else listens there |
//! | `wait SECONDS` | time passes |
//! | `show` | prints what is on the hosts, and where proxies send |

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use gitdeploy::model::{HostName, Name, Owner, ProxyPlace};
use gitdeploy::ports::{Lease, LeaseKey};
use gitdeploy::sim::{App, SimHost, SimImage, World};
use serde_json::{Value, json};

/// Does what the order says, and gives what it shows.
pub(super) fn change(file: &Path, order: &[&str]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let text = fs::read_to_string(file).expect("a world");
        let world = World::restored(&text).await.expect("a world");
        let shown = done(&world, order).await;
        fs::write(file, world.stored()).expect("a world");
        shown
    })
}

async fn done(world: &World, order: &[&str]) -> String {
    match order {
        ["begin"] => begin(world),
        ["image", name] => image(world, name, name, App::default()),
        ["image", name, "never-ready"] => image(world, name, name, NEVER_READY),
        ["image", name, "moved"] => image(world, name, &format!("{name} moved"), App::default()),
        ["job", of] => {
            let (stack, service) = of.split_once('/').expect("stack/service");
            let service = gitdeploy::model::ServiceName::new(service);
            world.job(&name(stack).into(), &service);
        }
        ["host", host, state] => {
            world.with_host(&name(host).into(), |host| host.is_down = *state == "down");
        }
        ["proxy", proxy, what] => meddle(world, proxy, what),
        ["crash", replica] => {
            let (host, name) = container(world, replica);
            world.crash(&host, &name);
        }
        ["take", replica] => {
            let (host, name) = container(world, replica);
            world.take_away(&host, &name);
        }
        ["change", replica, pointer, value] => edit(world, replica, pointer, value),
        ["lease", stack, holder] => lease(world, stack, holder),
        ["occupy", host, port] => world.with_host(&name(host).into(), |host| {
            let port = port.parse().expect("a port");
            host.foreign.ports.insert(port, "a process".to_owned());
        }),
        ["wait", seconds] => {
            tokio::time::sleep(Duration::from_secs(seconds.parse().expect("a number"))).await;
        }
        ["show"] => return show(world),
        _ => panic!("`world {}` is no order", order.join(" ")),
    }
    String::new()
}

const NEVER_READY: App =
    App { ready_after: None, ends_after: None, longest_request: 500, long_connection: 0 };

fn begin(world: &World) {
    world.host(&name("web-1").into());
    for name in ["app:1", "app:2", "app:3", "db:1", "db:2"] {
        image(world, name, name, App::default());
    }
    image(world, "bad:1", "bad:1", NEVER_READY);
    image(world, "job:1", "job:1", App::JOB);
}

fn image(world: &World, reference: &str, what: &str, app: App) {
    let digest: String = what.bytes().map(|byte| format!("{byte:02x}")).collect();
    let image = SimImage {
        id: format!("sha256:{digest:0<64}"),
        digest: Some(format!("sha256:{digest:0<64}")),
        config: json!({}),
        app,
    };
    world.image(reference, image);
}

fn meddle(world: &World, proxy: &str, what: &str) {
    for place in places(world).into_iter().filter(|it| it.proxy.as_str() == proxy) {
        world.with_proxy(&place, |proxy| match what {
            "rejects" => proxy.rejects = true,
            "accepts" => {
                proxy.rejects = false;
                proxy.ignores_reload = false;
            }
            "stuck" => proxy.ignores_reload = true,
            "edited" => proxy.file.iter_mut().for_each(|file| file.push_str("# by hand\n")),
            _ => panic!("`{what}` is nothing that a proxy does"),
        });
    }
}

fn edit(world: &World, replica: &str, pointer: &str, value: &str) {
    let (host, name) = container(world, replica);
    let value: Value = serde_json::from_str(value).expect("JSON");
    world.with_host(&host, |host| {
        let container = host.containers.get_mut(&name).expect("a container");
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = container.config.pointer_mut(parent).expect("a parent");
        parent[key] = value;
    });
}

fn lease(world: &World, stack: &str, holder: &str) {
    let owner = Owner { project: name("acme").into(), environment: name("production").into() };
    let key = LeaseKey::Stack(owner, name(stack).into());
    let now = world.now();
    for host in hosts(world) {
        let lease = Lease {
            id: "ab12".repeat(16),
            key: key.clone(),
            holder: holder.to_owned(),
            purpose: "1234567".to_owned(),
            since: now,
            until: now + 30_000,
            is_expired: false,
        };
        world.with_host(&host, |host| host.leases.insert(key.clone(), lease));
    }
}

fn show(world: &World) -> String {
    let mut page = String::new();
    for host in hosts(world) {
        writeln!(page, "{host}").expect("text");
        world.with_host(&host, |host| things(host, &mut page));
    }
    for place in places(world) {
        writeln!(page, "{} on {}", place.proxy, place.host).expect("text");
        world.with_proxy(&place, |proxy| {
            for (backend, servers) in &proxy.running.backends {
                let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
                writeln!(page, "  {backend}: {}", servers.join(" ")).expect("text");
            }
        });
    }
    page
}

fn things(host: &SimHost, page: &mut String) {
    for (name, it) in &host.containers {
        let image = it.config.get("Image").and_then(Value::as_str).unwrap_or_default();
        let status = format!("{:?}", it.status).to_lowercase();
        writeln!(page, "  container {name} {image} {status}").expect("text");
    }
    host.networks.keys().for_each(|it| writeln!(page, "  network {it}").expect("text"));
    host.volumes.keys().for_each(|it| writeln!(page, "  volume {it}").expect("text"));
}

/// The newest container of a replica, and where it is.
fn container(world: &World, replica: &str) -> (HostName, String) {
    let found = hosts(world).into_iter().find_map(|host| {
        let found = world.with_host(&host, |it| {
            let mut all: Vec<_> = it.containers.iter().collect();
            all.sort_by_key(|(_, it)| std::cmp::Reverse(it.started_at));
            let is_meant = |it: &gitdeploy::model::Identity| {
                format!("{}/{}/{}", it.stack, it.service, it.slot) == replica
            };
            let found = all.into_iter().find(|(_, it)| is_meant(&it.identity));
            found.map(|(name, _)| name.clone())
        });
        found.map(|name| (host, name))
    });
    found.unwrap_or_else(|| panic!("there is no {replica}"))
}

fn hosts(world: &World) -> Vec<HostName> {
    let ports = world.run(gitdeploy::sim::Fault::None).ports();
    ports.engines.keys().cloned().collect()
}

fn places(world: &World) -> Vec<ProxyPlace> {
    let ports = world.run(gitdeploy::sim::Fault::None).ports();
    ports.proxies.keys().cloned().collect()
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}
