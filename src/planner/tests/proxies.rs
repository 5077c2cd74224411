//! What proxies are told, and in which order.

use insta::assert_snapshot;

use super::WEB;
use crate::model::{Cause, Op, RuntimeServer, StepId};
use crate::planner::check;
use crate::planner::fixture::{Fleet, TWO_PROXIES};

fn deployed() -> Fleet {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet
}

#[test]
fn every_proxy_lets_go_before_a_container_ends() {
    let mut fleet = Fleet::new(TWO_PROXIES);
    let web = WEB.replace("replicas: 2", "replicas: 1");
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("shop:1", "shop:2"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@a create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@a start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@a wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@a switch edge on a: web.8080 = shop-web-1.g2 (changed in the commit)
    [2] -> #4 web@b switch edge on b: web.8080 = shop-web-1.g2 (changed in the commit)
    [3] -> #5 web@a wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #6 web@b wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [5, 6] -> #7 web.1@a stop shop-web-1.g1 (changed in the commit)
    [7] -> #8 web.1@a remove shop-web-1.g1 (changed in the commit)
    [8] -> #9 shop@a record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_replica_is_reached_by_its_own_host_and_by_others() {
    let mut fleet = Fleet::new(TWO_PROXIES);
    fleet.want("shop", WEB);
    fleet.deploy();
    let servers = |fleet: &mut Fleet, host: &str| {
        let table = fleet.proxy(host).table.clone().expect("a table");
        let all = table.endpoints().into_iter().map(ToString::to_string);
        all.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(servers(&mut fleet, "a"), "10.0.0.2:20000 127.0.0.1:20000");
    assert_eq!(servers(&mut fleet, "b"), "10.0.0.1:20000 127.0.0.1:20000");
}

#[test]
fn another_name_is_one_switch_and_no_container() {
    let mut fleet = deployed();
    fleet.want("shop", &WEB.replace("shop.example.com", "www.example.com"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web@local switch edge on local: web.8080 = shop-web-1.g1 shop-web-2.g1 (routes)
    [0] -> #1 shop@local record 0000002 (changed in the commit)
    ");
    let plan = fleet.plan().expect("a plan");
    assert_eq!(plan.files[0].cause, Cause::RoutesChanged);
    assert_eq!((plan.totals().create, plan.totals().change, plan.totals().remove), (0, 1, 0));
    fleet.deploy();
}

#[test]
fn a_route_that_is_gone_leaves_the_containers() {
    let mut fleet = deployed();
    fleet.want("shop", "services: {web: {image: 'shop:1', deploy: {replicas: 2}}}");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web@local switch edge on local: web.8080 gone (routes)
    [0] -> #1 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn another_port_moves_all_requests_at_once() {
    let mut fleet = deployed();
    fleet.want("shop", &WEB.replace("8080", "9090"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local create shop-web-1.g2 (routes)
    [] -> #1 web.2@local create shop-web-2.g2 (routes)
    [0] -> #2 web.1@local start shop-web-1.g2 (routes)
    [2] -> #3 web.1@local wait until shop-web-1.g2 is ready (routes)
    [1] -> #4 web.2@local start shop-web-2.g2 (routes)
    [4] -> #5 web.2@local wait until shop-web-2.g2 is ready (routes)
    [3, 5] -> #6 web@local switch edge on local: web.8080 gone; web.9090 = shop-web-1.g2 shop-web-2.g2 (routes)
    [6] -> #7 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (routes)
    [7] -> #8 web.1@local stop shop-web-1.g1 (routes)
    [7] -> #9 web.2@local stop shop-web-2.g1 (routes)
    [8] -> #10 web.1@local remove shop-web-1.g1 (routes)
    [9] -> #11 web.2@local remove shop-web-2.g1 (routes)
    [10, 11] -> #12 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_file_that_was_edited_is_written_again() {
    let mut fleet = deployed();
    fleet.proxy("local").file.as_mut().expect("a file").push_str("# mine\n");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web@local switch edge on local: again (changed outside of the repository)
    [0] -> #1 shop@local record 0000001 (changed in the commit)
    ");
    assert_eq!(fleet.plan().expect("a plan").files[0].cause, Cause::Drifted);
    fleet.deploy();
}

#[test]
fn drift_of_a_replica_is_no_edit_of_the_file() {
    let mut fleet = deployed();
    fleet.container("web", 1).config["HostConfig"]["Memory"] = 104_857_600.into();
    let plan = fleet.plan().expect("a plan");
    assert_eq!(plan.files[0].cause, Cause::RoutesChanged);
}

#[test]
fn a_proxy_that_does_not_follow_its_file_is_made_to() {
    let mut fleet = deployed();
    fleet.proxy("local").serving = None;
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web@local switch edge on local: again (it serves something else than its file says)
    [0] -> #1 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn whoever_a_file_names_is_let_go_of_only_after_its_proxy_follows_it() {
    let mut fleet = Fleet::new(TWO_PROXIES);
    let web = WEB.replace("replicas: 2", "replicas: 1");
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("shop:1", "shop:2"));
    fleet.proxy("b").serving = None;
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web@b switch edge on b: again (it serves something else than its file says)
    [] -> #1 web.1@a create shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@a start shop-web-1.g2 (changed in the commit)
    [2] -> #3 web.1@a wait until shop-web-1.g2 is ready (changed in the commit)
    [0, 3] -> #4 web@a switch edge on a: web.8080 = shop-web-1.g2 (changed in the commit)
    [0, 3] -> #5 web@b switch edge on b: web.8080 = shop-web-1.g2 (changed in the commit)
    [4] -> #6 web@a wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [5] -> #7 web@b wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [6, 7] -> #8 web.1@a stop shop-web-1.g1 (changed in the commit)
    [8] -> #9 web.1@a remove shop-web-1.g1 (changed in the commit)
    [9] -> #10 shop@a record 0000002 (changed in the commit)
    ");
    let mut plan = fleet.plan().expect("a plan");
    plan.steps[4].needs.remove(&StepId(0));
    let found: Vec<_> = check(&plan, &fleet.observed).iter().map(ToString::to_string).collect();
    let name = plan.steps[8].op.words().replace("stop ", "");
    let what = format!("#4 switch edge on a: edge on b may begin to send to {name} later");
    assert_eq!(found, [what]);
}

#[test]
fn a_runtime_that_sends_elsewhere_is_brought_back() {
    let mut fleet = deployed();
    let server = RuntimeServer { address: "10.9.9.9:1".into(), takes_requests: true };
    let servers = [("other".to_owned(), server)].into();
    fleet.proxy("local").servers = Some([("shop.web.8080".to_owned(), servers)].into());
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web@local switch edge on local: again (it serves something else than its file says)
    [0] -> #1 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn of_two_in_one_place_the_older_is_asked_where_the_younger_does_not_answer() {
    let mut fleet = Fleet::one();
    let web = WEB.replace("replicas: 2", "replicas: 2, update_config: {parallelism: 1}");
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("shop:1", "shop:2"));
    fleet.crash(2);
    fleet.want("shop", &web.replace("shop:1", "shop:3"));
    let proxy = fleet.proxy("local");
    (proxy.file, proxy.table) = (None, None);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@local wait until shop-web-1.g2 is ready (it serves something else than its file says)
    [0] -> #1 web.1@local wait until shop-web-1.g1 is ready (in case shop-web-1.g2 is not ready)
    [] -> #2 web.2@local wait until shop-web-2.g1 is ready (it serves something else than its file says)
    [1, 2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-1.g1 shop-web-2.g1 (it serves something else than its file says)
    [3] -> #4 web.1@local create shop-web-1.g3 (changed in the commit)
    [4] -> #5 web.1@local start shop-web-1.g3 (changed in the commit)
    [5] -> #6 web.1@local wait until shop-web-1.g3 is ready (changed in the commit)
    [6] -> #7 web@local switch edge on local: web.8080 = shop-web-1.g3 shop-web-2.g1 (changed in the commit)
    [7] -> #8 web@local wait until edge has let go of shop-web-1.g2, shop-web-1.g1 (changed in the commit)
    [8] -> #9 web.1@local stop shop-web-1.g2 (changed in the commit)
    [8] -> #10 web.1@local stop shop-web-1.g1 (changed in the commit)
    [9] -> #11 web.1@local remove shop-web-1.g2 (changed in the commit)
    [10] -> #12 web.1@local remove shop-web-1.g1 (changed in the commit)
    [11, 12] -> #13 web.2@local create shop-web-2.g3 (changed in the commit)
    [13] -> #14 web.2@local start shop-web-2.g3 (changed in the commit)
    [14] -> #15 web.2@local wait until shop-web-2.g3 is ready (changed in the commit)
    [15] -> #16 web@local switch edge on local: web.8080 = shop-web-1.g3 shop-web-2.g3 (changed in the commit)
    [16] -> #17 web@local wait until edge has let go of shop-web-2.g1 (changed in the commit)
    [17] -> #18 web.2@local stop shop-web-2.g1 (changed in the commit)
    [18] -> #19 web.2@local remove shop-web-2.g1 (changed in the commit)
    [19] -> #20 shop@local record 0000003 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn what_a_proxy_serves_from_memory_is_written_down_for_all_stacks_at_once() {
    let mut fleet = Fleet::one();
    fleet.want("blog", &WEB.replace("shop.example", "blog.example"));
    fleet.want("shop", WEB);
    fleet.deploy();
    let proxy = fleet.proxy("local");
    (proxy.file, proxy.table) = (None, None);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@local wait until blog-web-1.g1 is ready (it serves something else than its file says)
    [] -> #1 web.2@local wait until blog-web-2.g1 is ready (it serves something else than its file says)
    [] -> #2 web.1@local wait until shop-web-1.g1 is ready (it serves something else than its file says)
    [] -> #3 web.2@local wait until shop-web-2.g1 is ready (it serves something else than its file says)
    [0, 1, 2, 3] -> #4 web@local switch edge on local: web.8080 = blog-web-1.g1 blog-web-2.g1; web.8080 = shop-web-1.g1 shop-web-2.g1 (it serves something else than its file says)
    [] -> #5 web.1@local wait until blog-web-1.g1 is ready (not routed)
    [] -> #6 web.2@local wait until blog-web-2.g1 is ready (not routed)
    [4, 5, 6] -> #7 blog@local record 0000002 (changed in the commit)
    [] -> #8 web.1@local wait until shop-web-1.g1 is ready (not routed)
    [] -> #9 web.2@local wait until shop-web-2.g1 is ready (not routed)
    [4, 8, 9] -> #10 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_file_that_was_put_back_is_not_followed_while_it_names_who_is_gone() {
    let mut fleet = deployed();
    let proxy = fleet.proxy("local");
    let (file, table) = (proxy.file.clone(), proxy.table.clone());
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    fleet.deploy();
    let proxy = fleet.proxy("local");
    (proxy.file, proxy.table) = (file, table);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@local wait until shop-web-1.g2 is ready (not routed)
    [] -> #1 web.2@local wait until shop-web-2.g2 is ready (not routed)
    [0, 1] -> #2 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 (not routed)
    [2] -> #3 shop@local record 0000002 (changed in the commit)
    ");
    fleet.want("shop", &WEB.replace("shop:1", "shop:3"));
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@local create shop-web-1.g3 (changed in the commit)
    [] -> #1 web.2@local create shop-web-2.g3 (changed in the commit)
    [0] -> #2 web.1@local start shop-web-1.g3 (changed in the commit)
    [2] -> #3 web.1@local wait until shop-web-1.g3 is ready (changed in the commit)
    [1] -> #4 web.2@local start shop-web-2.g3 (changed in the commit)
    [4] -> #5 web.2@local wait until shop-web-2.g3 is ready (changed in the commit)
    [3, 5] -> #6 web@local switch edge on local: web.8080 = shop-web-1.g3 shop-web-2.g3 (changed in the commit)
    [6] -> #7 web@local wait until edge has let go of shop-web-1.g2, shop-web-2.g2 (changed in the commit)
    [7] -> #8 web.1@local stop shop-web-1.g2 (changed in the commit)
    [7] -> #9 web.2@local stop shop-web-2.g2 (changed in the commit)
    [8] -> #10 web.1@local remove shop-web-1.g2 (changed in the commit)
    [9] -> #11 web.2@local remove shop-web-2.g2 (changed in the commit)
    [10, 11] -> #12 shop@local record 0000003 (changed in the commit)
    ");
}

#[test]
fn a_renamed_service_takes_the_route_in_one_switch() {
    let mut fleet = deployed();
    fleet.want("shop", &WEB.replace("  web:", "  front:"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 front.1@local create shop-front-1.g2 (new in the commit)
    [] -> #1 front.2@local create shop-front-2.g2 (new in the commit)
    [0] -> #2 front.1@local start shop-front-1.g2 (new in the commit)
    [2] -> #3 front.1@local wait until shop-front-1.g2 is ready (new in the commit)
    [1] -> #4 front.2@local start shop-front-2.g2 (new in the commit)
    [4] -> #5 front.2@local wait until shop-front-2.g2 is ready (new in the commit)
    [3, 5] -> #6 front@local switch edge on local: front.8080 = shop-front-1.g2 shop-front-2.g2; web.8080 gone (new in the commit)
    [6] -> #7 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (not in the commit any more)
    [7] -> #8 web.1@local stop shop-web-1.g1 (not in the commit any more)
    [7] -> #9 web.2@local stop shop-web-2.g1 (not in the commit any more)
    [8] -> #10 web.1@local remove shop-web-1.g1 (not in the commit any more)
    [9] -> #11 web.2@local remove shop-web-2.g1 (not in the commit any more)
    [10, 11] -> #12 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn two_stacks_change_one_proxy_without_knowing_of_each_other() {
    let mut fleet = deployed();
    fleet.want("shop", &WEB.replace("shop:1", "shop:2").replace("replicas: 2", "replicas: 1"));
    fleet.want(
        "blog",
        "services: {blog: {image: b, x-gitdeploy: {routes: [{host: blog.example.com, port: 80}]}}}",
    );
    assert_snapshot!(fleet.text(), @"
    [] -> #0 blog@local create network blog_default (new in the commit)
    [0] -> #1 blog.1@local create blog-blog-1.g1 (new in the commit)
    [1] -> #2 blog.1@local start blog-blog-1.g1 (new in the commit)
    [2] -> #3 blog.1@local wait until blog-blog-1.g1 is ready (new in the commit)
    [3] -> #4 blog@local switch edge on local: blog.80 = blog-blog-1.g1 (new in the commit)
    [4] -> #5 blog@local record 0000003 (changed in the commit)
    [] -> #6 web.1@local create shop-web-1.g2 (changed in the commit)
    [6] -> #7 web.1@local start shop-web-1.g2 (changed in the commit)
    [7] -> #8 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [8] -> #9 web@local switch edge on local: web.8080 = shop-web-1.g2 (changed in the commit)
    [9] -> #10 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [10] -> #11 web.1@local stop shop-web-1.g1 (changed in the commit)
    [11] -> #12 web.1@local remove shop-web-1.g1 (changed in the commit)
    [9] -> #13 web@local wait until edge has let go of shop-web-2.g1 (another number of replicas)
    [13] -> #14 web.2@local stop shop-web-2.g1 (another number of replicas)
    [14] -> #15 web.2@local remove shop-web-2.g1 (another number of replicas)
    [12, 15] -> #16 shop@local record 0000003 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_port_that_requests_may_still_come_to_is_not_given_again() {
    let mut fleet = deployed();
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    fleet.deploy();
    let table = fleet.proxy("local").table.clone().expect("a table");
    let ports: Vec<u16> = table.endpoints().into_iter().map(|at| at.port).collect();
    assert_eq!(ports, [20002, 20003]);
}

#[test]
fn a_tcp_probe_is_asked_of_the_container_itself() {
    let mut fleet = Fleet::one();
    fleet.want("shop", &WEB.replace("http: /healthz", "tcp: 9000"));
    let plan = fleet.plan().expect("a plan");
    let mut asked = 0;
    for step in &plan.steps {
        match &step.op {
            Op::AwaitReady { readiness, .. } => {
                let probe = readiness.probe.as_ref().expect("a probe");
                assert_eq!(probe.endpoint, None);
                asked += 1;
            }
            Op::Create { replica } => {
                assert_eq!(replica.endpoints.keys().copied().collect::<Vec<_>>(), [8080]);
            }
            _ => {}
        }
    }
    assert_eq!(asked, 2);
}
