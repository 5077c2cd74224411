//! Health, metrics, the API and its streams.

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;

use gitdeploy::model::PlanId;
use gitdeploy::sync::{Notice, NoticeKind, OrderKind, Picture, Refusal};
use serde_json::Value;

use crate::fleet::{NOW, PLAN, fleet};
use crate::rig::{Rig, TOKEN, name, request};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn machines_that_restart_and_route_need_no_login() {
    let rig = Rig::new(Picture::default());
    assert_eq!(rig.ask("GET", "/healthz", &[]).status, 200);
    assert_eq!(rig.ask("GET", "/readyz", &[]).status, 503);
    rig.picture.send_replace(Arc::new(fleet()));
    assert_eq!(rig.ask("GET", "/readyz", &[]).status, 200);
    let metrics = rig.ask("GET", "/metrics", &[]);
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    let line = "gitdeploy_host_up{source=\"production\",host=\"web-3\"} 0";
    assert!(metrics.body.contains(line), "{}", metrics.body);
}

#[test]
fn the_api_shows_the_picture_and_its_parts() {
    let rig = Rig::new(fleet());
    let picture = json(&rig.get("/api/v1/picture").body);
    assert_eq!(picture["sources"]["production"]["hosts"]["web-3"]["is_up"], false);
    let stacks = json(&rig.get("/api/v1/stacks").body);
    assert_eq!(stacks["stacks"].as_array().map(Vec::len), Some(4));
    let shop = json(&rig.get("/api/v1/stacks/production/shop").body);
    assert_eq!(shop["running"]["steps"][4]["state"], "running");
    let rounds = json(&rig.get("/api/v1/rounds?stack=shop&limit=1").body);
    assert_eq!(rounds["rounds"][0]["number"], 14);
    assert_eq!(rounds["rounds"].as_array().map(Vec::len), Some(1));
    let plans = json(&rig.get("/api/v1/plans").body);
    assert_eq!(plans["plans"][0]["id"], PLAN);
    let plan = json(&rig.get("/api/v1/plans/production/shop").body);
    assert!(plan["text"].as_str().is_some_and(|text| text.contains("+/- web")));
    for path in ["/api/v1/stacks/production/nowhere", "/api/v1/plans/production/docs"] {
        assert_eq!(rig.get(path).status, 404, "{path}");
    }
}

#[test]
fn orders_reach_the_daemon_with_who_asked() {
    let rig = Rig::new(fleet());
    let shop = || name("shop").into();
    let stack = "/api/v1/stacks/production/shop";
    for (path, body, kind) in [
        ("/api/v1/sources/production/fetch".to_owned(), "", OrderKind::Fetch),
        (format!("{stack}/sync"), "{}", OrderKind::Sync(shop())),
        (
            format!("{stack}/approve"),
            &format!("{{\"plan\":\"{PLAN}\"}}"),
            OrderKind::Approve(shop(), PlanId(PLAN.to_owned())),
        ),
        (
            format!("{stack}/pause"),
            "{\"reason\":\"a look\\nat it\"}",
            OrderKind::Pause { stack: shop(), until: None, reason: "a look at it".to_owned() },
        ),
        (format!("{stack}/resume"), "{\"by\":\"anna\"}", OrderKind::Resume(shop())),
    ] {
        let answer = rig.post(&path, body);
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        assert_eq!(rig.orders().pop().expect("an order").kind, kind, "{path}");
    }
    let by: Vec<String> = rig.orders().into_iter().map(|order| order.by).collect();
    assert_eq!(by.last().map(String::as_str), Some("anna"));
    assert_eq!(by.first().map(String::as_str), Some("the API"));
}

#[test]
fn an_order_that_says_too_little_or_too_much_is_refused() {
    let rig = Rig::new(fleet());
    let stack = "/api/v1/stacks/production/shop";
    let long = format!("{{\"by\":\"{}\"}}", "x".repeat(20_000));
    for (path, body, status) in [
        ("approve", "", 400),
        ("approve", "{\"plan\":7}", 400),
        ("pause", "{}", 400),
        ("pause", &format!("{{\"reason\":\"x\",\"until\":{}}}", NOW - 1), 400),
        ("resume", "{\"unknown\":1}", 400),
        ("resume", "no json", 400),
        ("resume", long.as_str(), 413),
    ] {
        assert_eq!(rig.post(&format!("{stack}/{path}"), body).status, status, "{path} {body:.30}");
    }
    assert_eq!(rig.post("/api/v1/stacks/production/UPPER/sync", "").status, 404);
    assert!(rig.orders().is_empty());
}

#[test]
fn the_daemons_refusal_is_said_in_its_words() {
    let rig = Rig::new(fleet());
    rig.refuse(Refusal::Conflict("no plan of shop waits".to_owned()));
    let answer = rig.post("/api/v1/stacks/production/shop/sync", "");
    assert_eq!(answer.status, 409);
    assert_eq!(json(&answer.body)["error"], "no plan of shop waits");
}

#[test]
fn strangers_see_nothing_and_cannot_order() {
    let rig = Rig::new(fleet());
    let wrong = [("Authorization", "Bearer not the token at all")];
    for path in ["/", "/api/v1/picture", "/live", "/api/v1/events", "/nowhere"] {
        for headers in [&[][..], &wrong] {
            let answer = rig.ask("GET", path, headers);
            assert_eq!(answer.status, 401, "{path}");
            assert!(!answer.body.contains("production"), "{path}");
        }
    }
    assert_eq!(rig.ask("POST", "/api/v1/stacks/production/shop/sync", &wrong).status, 401);
    assert!(rig.orders().is_empty());
    rig.forget_token();
    let login = format!("Bearer {TOKEN}");
    let answer = rig.ask("GET", "/api/v1/picture", &[("Authorization", &login)]);
    assert_eq!(answer.status, 403, "no token, no entry");
}

#[test]
fn events_are_told_as_they_happen() {
    let rig = Rig::new(fleet());
    let mut stream = rig.connect();
    let login = format!("Bearer {TOKEN}");
    let ask = request("GET", "/api/v1/events", &[("Authorization", &login)], b"");
    stream.write_all(&ask).expect("it is open");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    // The headers are there, so the stream listens.
    assert!(lines.any(|line| line.is_empty()));
    let notice = Notice {
        number: 7,
        at: NOW,
        source: name("production"),
        stack: Some(name("shop").into()),
        kind: NoticeKind::Drifted { what: vec!["web is gone".to_owned()] },
    };
    rig.notices.send(notice).expect("somebody listens");
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let data = json(&data.expect("an event"));
    assert_eq!((&data["kind"], &data["number"]), (&"drifted".into(), &7.into()));
    // The end of the server ends the stream.
    rig.ending.send_replace(true);
    assert!(lines.all(|line| !line.starts_with("data")));
}

#[test]
fn the_server_ends_when_it_is_told_to() {
    let rig = Rig::new(fleet());
    rig.ending.send_replace(true);
    let mut is_open = true;
    while is_open {
        is_open = std::net::TcpStream::connect(rig.address).is_ok();
    }
}
