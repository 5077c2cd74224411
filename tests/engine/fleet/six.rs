//! The six hosts of `fixtures/six-hosts`, with eighteen applications and a real database.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::rig::{Fleet, Kind, Load, Variant, World, alone, database_images, get};
use crate::shop::until;

const HOSTS: [&str; 6] = ["host-1", "host-2", "host-3", "host-4", "host-5", "host-6"];
const ORDERS: &str = "app6-3.example.com";
const TAKE: &str = "/cgi-bin/orders";
const PASSWORD: &str = "correct-horse-battery";
/// A deployment over all hosts on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(900);

/// The fleet goes before the folder that has its keys.
struct Six {
    fleet: Fleet,
    world: World,
    images: [String; 4],
}

impl Six {
    /// Six hosts as the fixture has them, with images in place of its names.
    fn open() -> Self {
        let mut world = World::new("six");
        let fleet = Fleet::start(&world.project, &HOSTS, world.folder());
        fleet.host("host-1").start_proxy(Kind::Nginx);
        fleet.host("host-2").start_proxy(Kind::Haproxy);
        let (database, orders) = database_images();
        let images = [
            world.tag("app", Variant::V1),
            world.tag("newer", Variant::V2),
            database.to_owned(),
            orders.to_owned(),
        ];
        images.iter().for_each(|image| fleet.load(image));
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/six-hosts");
        let read = |path: &str| fs::read_to_string(fixture.join(path)).expect("a fixture");
        for path in [
            "stacks/apps/compose.yaml.j2",
            "stacks/orders/compose.yaml.j2",
            "stacks/orders/database.sh",
            "stacks/orders/orders.sh",
        ] {
            world.write(path, read(path));
            let rights = fs::metadata(fixture.join(path)).expect("a fixture").permissions();
            fs::set_permissions(world.path().join(path), rights).expect("ours");
        }
        let named = format!("project: {}\n", world.project);
        world.write(
            "gitdeploy.yaml",
            read("gitdeploy.yaml").replace("project: six-hosts\n", &named),
        );
        // The same hosts and labels, where ours are.
        let inventory = read("inventory.yaml");
        let (_, proxies) = inventory.split_once("proxies:\n").expect("proxies");
        let hosts = fleet.inventory(|name| match name {
            "host-1" => "    labels: {role: data}\n".to_owned(),
            _ => String::new(),
        });
        world.write("inventory.yaml", format!("hosts:\n{hosts}proxies:\n{proxies}"));
        let six = Self { fleet, world, images };
        six.release(0);
        six
    }

    /// Commits a release: 0 or 1.
    fn release(&self, nth: usize) {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/six-hosts/values.yaml");
        let values = fs::read_to_string(fixture).expect("a fixture");
        let [first, second, database, orders] = &self.images;
        let app = if nth == 0 { first } else { second };
        let values = values
            .replace("registry.example.com/app:1.0", app)
            .replace("registry.example.com/database:1.0", database)
            .replace("registry.example.com/orders:1.0", orders);
        self.world.write("values.yaml", values);
        self.world.commit("a release");
    }

    fn run(&self, arguments: &[&str]) -> crate::rig::Ended {
        self.world.run_with(arguments, &[("DATABASE_PASSWORD", PASSWORD)], RUN_MAX)
    }

    fn assert_settled(&self) {
        let plan = self.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
        assert!(!plan.stdout.contains(PASSWORD) && !plan.stderr.contains(PASSWORD));
    }

    fn door(&self, host: &str) -> std::net::SocketAddr {
        (self.fleet.host(host).address, 80).into()
    }

    /// Takes an order through a proxy; gives how many there are.
    fn order(&self, host: &str) -> Result<u32, String> {
        let (status, body) = get(self.door(host), ORDERS, TAKE)?;
        let count = body.trim().strip_prefix("orders ").and_then(|text| text.parse().ok());
        count.filter(|_| status == 200).ok_or_else(|| format!("{status} {body}"))
    }

    /// Requests to an application through both proxies.
    fn loads(&self, app: &str) -> [Load; 2] {
        let host = format!("{app}.example.com");
        ["host-1", "host-2"].map(|door| Load {
            rate: 60,
            kept: 4,
            fresh: 4,
            limit: RUN_MAX,
            ..Load::light(self.door(door), &host)
        })
    }

    fn containers(&self, host: &str) -> Vec<String> {
        let label = format!("label=gitdeploy.project={}", self.world.project);
        let list = ["ps", "--filter", &label, "--format", "{{.Names}}"];
        self.fleet.host(host).docker(&list).lines().map(str::to_owned).collect()
    }
}

#[test]
fn eighteen_applications_on_six_hosts_live_through_all_of_it() {
    let _alone = alone();
    let six = Six::open();
    six.run(&["hosts", "--init-overlay", "-y"]).succeeded();
    six.run(&["apply", "-y"]).succeeded();
    six.assert_settled();
    // app6-3 finds app1-1, five hosts away, and what it wrote stays.
    let first = six.order("host-1").expect("an order");
    assert_eq!(six.order("host-2"), Ok(first + 1));

    redeploy_all_under_load(&six);
    restart_the_database(&six);
    lose_a_host(&six);
    drain_another(&six);
}

/// Every application anew but the database; people go on ordering.
fn redeploy_all_under_load(six: &Six) {
    let running: Vec<_> =
        ["app1-3", "app6-1"].iter().flat_map(|app| six.loads(app)).map(Load::start).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let orders = scope.spawn(|| {
            let mut taken = 0;
            while !over.load(Ordering::Relaxed) {
                for host in ["host-1", "host-2"] {
                    six.order(host).unwrap_or_else(|why| panic!("after {taken} orders: {why}"));
                    taken += 1;
                }
            }
            taken
        });
        six.release(1);
        let done = six.run(&["apply", "-y", "--replace", "orders/app6-3"]);
        over.store(true, Ordering::Relaxed);
        done.succeeded();
        let taken: u32 = orders.join().expect("every order is taken");
        assert!(taken > 20, "only {taken} orders in all that time");
    });
    for report in running.into_iter().map(crate::rig::Running::finish) {
        assert!(report.versions.len() > 1, "both must have answered: {:?}", report.versions);
        report.assert_nothing_lost();
    }
    six.assert_settled();
}

fn restart_the_database(six: &Six) {
    let before = six.order("host-1").expect("an order");
    let plan = six.run(&["plan", "--replace", "orders/app1-1"]);
    assert!(plan.succeeded().stdout.contains("-/+ app1-1"), "{}", plan.stdout);
    six.run(&["apply", "-y", "--replace", "orders/app1-1"]).succeeded();
    // HAProxy found the shop ill meanwhile, and takes a look or two to find it well again.
    until("orders are taken again", || {
        ["host-1", "host-2"].iter().all(|door| six.order(door).is_ok())
    });
    assert!(six.order("host-2").expect("an order") > before, "what was written is gone");
    six.assert_settled();
}

/// One without data: the proxies pass its replicas over, a plan says that it is gone and touches
/// nothing of it, and when it is back there is nothing to do.
fn lose_a_host(six: &Six) {
    let before = six.containers("host-5");
    six.fleet.host("host-5").kill();
    let refused = six.run(&["plan"]);
    assert_eq!(refused.code, 15, "{}", refused.stdout);
    assert!(refused.stderr.contains("host-5"), "{}", refused.stderr);
    until("its replicas are passed over", || {
        (0..20).all(|_| six.order("host-2").is_ok())
            && ["app1-3", "app3-1", "app5-1"].iter().all(|app| {
                let host = format!("{app}.example.com");
                (0..8).all(|_| matches!(get(six.door("host-2"), &host, "/"), Ok((200, _))))
            })
    });
    six.run(&["apply", "-y", "--skip-unreachable"]).succeeded();
    six.fleet.host("host-5").revive();
    six.run(&["apply", "-y"]).succeeded();
    six.assert_settled();
    assert!(!before.is_empty() && !six.containers("host-5").is_empty());
}

fn drain_another(six: &Six) {
    let stays = six.containers("host-4").iter().filter(|name| name.contains("app4-")).count();
    assert!(stays >= 2, "two are bound to it");
    let running = six.loads("app1-3").map(Load::start);
    six.run(&["drain", "host-4", "-y"]).succeeded();
    for report in running.map(crate::rig::Running::finish) {
        report.assert_nothing_lost();
    }
    let left = six.containers("host-4");
    assert!(left.iter().all(|name| name.contains("app4-2") || name.contains("app4-3")), "{left:?}");
    six.run(&["undrain", "host-4"]).succeeded();
    six.order("host-1").expect("an order");
}
