//! Deliveries of webhooks: true ones, and everything that is not.

use std::io::{Read as _, Write as _};
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitdeploy::sync::{OrderKind, Picture, Refusal};

use crate::rig::{Answer, Rig, SECRET, mac, name, request, signature};

const BODY: &[u8] = br#"{"ref":"refs/heads/main","after":"3f2a1c9"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn rig() -> Rig {
    Rig::new(Picture::default())
}

/// A delivery to the generic webhook, truly signed.
fn signed(rig: &Rig, body: &[u8]) -> Answer {
    let signature = format!("sha256={}", signature(SECRET, body));
    rig.send(&request("POST", "/hooks/shop", &[JSON, ("X-Signature", &signature)], body))
}

#[test]
fn a_push_of_every_forge_wakes_its_source_and_says_nothing_else() {
    let rig = rig();
    let hex = signature(SECRET, BODY);
    let prefixed = format!("sha256={hex}");
    let now = (rig.now.load(Ordering::SeqCst) / 1000).to_string();
    let text = [format!("m1.{now}.").as_bytes(), BODY].concat();
    let standard = format!("v1,{}", STANDARD.encode(mac(SECRET, &text)));
    let deliveries: &[(&str, &[(&str, &str)])] = &[
        (
            "shop-github",
            &[
                ("X-GitHub-Event", "push"),
                ("X-GitHub-Delivery", "1"),
                ("X-Hub-Signature-256", &prefixed),
            ],
        ),
        (
            "shop-gitlab",
            &[
                ("X-Gitlab-Event", "Push Hook"),
                ("Idempotency-Key", "1"),
                ("X-Gitlab-Token", SECRET),
            ],
        ),
        (
            "shop-signed",
            &[
                ("X-Gitlab-Event", "Push Hook"),
                ("webhook-id", "m1"),
                ("webhook-timestamp", &now),
                ("webhook-signature", &standard),
            ],
        ),
        // Gitea and Forgejo send GitHub's headers as well.
        (
            "shop-gitea",
            &[
                ("X-Gitea-Event", "push"),
                ("X-Gitea-Delivery", "1"),
                ("X-Gitea-Signature", &hex),
                ("X-GitHub-Event", "push"),
                ("X-Hub-Signature-256", "sha256=0"),
            ],
        ),
        (
            "shop-forgejo",
            &[
                ("X-Forgejo-Event", "push"),
                ("X-Forgejo-Delivery", "1"),
                ("X-Forgejo-Signature", &hex),
                ("X-Gitea-Signature", "0"),
            ],
        ),
        ("shop", &[("X-Signature", &prefixed)]),
    ];
    for (hook, headers) in deliveries {
        let headers = [&[JSON][..], headers].concat();
        let answer = rig.send(&request("POST", &format!("/hooks/{hook}"), &headers, BODY));
        assert_eq!(answer.status, 202, "{hook}: {answer:?}");
        let order = rig.orders().pop().expect("an order");
        assert_eq!((order.source, order.by.as_str()), (name(hook), "webhook"));
        assert_eq!(order.kind, OrderKind::Fetch);
    }
    assert_eq!(rig.orders().len(), deliveries.len());
}

#[test]
fn a_forged_delivery_wakes_nobody_and_learns_nothing() {
    let rig = rig();
    let forged = format!("sha256={}", signature("another secret", BODY));
    let answer = rig.send(&request("POST", "/hooks/shop", &[JSON, ("X-Signature", &forged)], BODY));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body, "the signature is wrong\n");
    let login = [JSON, ("X-Gitlab-Token", "guessed-token")];
    let answer = rig.send(&request("POST", "/hooks/shop-gitlab", &login, BODY));
    assert_eq!(answer.status, 401);
    assert!(!answer.body.contains("guessed"), "what was given is not said back");
    assert!(rig.orders().is_empty());
}

#[test]
fn a_body_that_was_changed_on_the_way_is_a_forgery() {
    let rig = rig();
    let signature = format!("sha256={}", signature(SECRET, BODY));
    let changed = br#"{"ref":"refs/heads/evil","after":"3f2a1c9"}"#;
    let headers = [JSON, ("X-Signature", signature.as_str())];
    assert_eq!(rig.send(&request("POST", "/hooks/shop", &headers, changed)).status, 401);
    assert!(rig.orders().is_empty());
}

#[test]
fn without_a_signature_the_body_is_not_even_waited_for() {
    let rig = rig();
    let mut stream = rig.connect();
    let head = "POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 1000000\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it is open");
    let mut text = [0; 12];
    stream.read_exact(&mut text).expect("an answer to the headers alone");
    assert_eq!(&text, b"HTTP/1.1 401");
}

#[test]
fn a_huge_body_is_refused_by_its_length_before_it_is_sent() {
    let rig = rig();
    let mut stream = rig.connect();
    let head = format!(
        "POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-Signature: sha256={}\r\nContent-Length: 1048577\r\nConnection: close\r\n\r\n",
        "0".repeat(64)
    );
    stream.write_all(head.as_bytes()).expect("it is open");
    let mut text = [0; 12];
    stream.read_exact(&mut text).expect("an answer to the headers alone");
    assert_eq!(&text, b"HTTP/1.1 413");
}

#[test]
fn a_huge_body_that_does_not_say_its_length_is_refused_as_well() {
    let rig = rig();
    let zeros = format!("sha256={}", "0".repeat(64));
    let headers = [JSON, ("X-Signature", zeros.as_str()), ("Transfer-Encoding", "chunked")];
    let mut bytes = request("POST", "/hooks/shop", &headers, b"");
    for _ in 0..40 {
        bytes.extend_from_slice(b"8000\r\n");
        bytes.extend_from_slice(&[b'a'; 0x8000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let mut stream = rig.connect();
    // The server stops reading in the middle.
    drop(stream.write_all(&bytes));
    let mut text = [0; 12];
    if stream.read_exact(&mut text).is_ok() {
        assert_eq!(&text, b"HTTP/1.1 413");
    }
    assert!(rig.orders().is_empty());
    assert_eq!(signed(&rig, BODY).status, 202, "and the server goes on");
}

#[test]
fn the_largest_body_is_taken() {
    let rig = rig();
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 - 8));
    assert_eq!(body.len(), 1024 * 1024);
    assert_eq!(signed(&rig, body.as_bytes()).status, 202);
}

#[test]
fn what_is_signed_and_no_json_object_is_refused() {
    let rig = rig();
    let deep = "[".repeat(100_000);
    for body in ["", "null", "[]", "{", "{}{}", "payload=%7B%7D", "\u{0}", deep.as_str()] {
        assert_eq!(signed(&rig, body.as_bytes()).status, 400, "{body:.20}");
    }
    assert!(rig.orders().is_empty());
}

#[test]
fn a_delivery_that_is_repeated_is_taken_once() {
    let rig = rig();
    assert_eq!(signed(&rig, BODY).status, 202);
    let again = signed(&rig, BODY);
    assert_eq!((again.status, again.body.as_str()), (409, "this delivery has been taken before\n"));
    assert_eq!(rig.orders().len(), 1);
}

#[test]
fn a_repeated_delivery_under_another_number_is_still_the_same() {
    let rig = rig();
    let signature = format!("sha256={}", signature(SECRET, BODY));
    let deliver = |id: &str| {
        let headers =
            [JSON, ("X-Hub-Signature-256", signature.as_str()), ("X-GitHub-Delivery", id)];
        rig.send(&request("POST", "/hooks/shop-github", &headers, BODY)).status
    };
    assert_eq!([deliver("1"), deliver("2")], [202, 409]);
}

#[test]
fn a_message_that_was_signed_ten_minutes_ago_is_refused() {
    let rig = rig();
    let then = (rig.now.load(Ordering::SeqCst) / 1000 - 600).to_string();
    let text = [format!("m1.{then}.").as_bytes(), BODY].concat();
    let signature = format!("v1,{}", STANDARD.encode(mac(SECRET, &text)));
    let headers = [
        JSON,
        ("webhook-id", "m1"),
        ("webhook-timestamp", &then),
        ("webhook-signature", &signature),
    ];
    assert_eq!(rig.send(&request("POST", "/hooks/shop-signed", &headers, BODY)).status, 401);
}

#[test]
fn a_flood_is_refused_and_the_next_second_is_not() {
    let rig = rig();
    let statuses: Vec<u16> =
        (0..30).map(|n| signed(&rig, format!("{{\"n\":{n}}}").as_bytes()).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    rig.now.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(signed(&rig, BODY).status, 202);
}

#[test]
fn a_flood_of_forgeries_is_refused_unread_and_other_hooks_do_not_feel_it() {
    let rig = rig();
    let zeros = format!("sha256={}", "0".repeat(64));
    let forged = request("POST", "/hooks/shop", &[JSON, ("X-Signature", &zeros)], BODY);
    let statuses: Vec<u16> = (0..80).map(|_| rig.send(&forged).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    let headers = [JSON, ("X-Gitlab-Token", SECRET)];
    assert_eq!(rig.send(&request("POST", "/hooks/shop-gitlab", &headers, BODY)).status, 202);
}

#[test]
fn a_hook_without_a_secret_does_not_exist() {
    let rig = rig();
    for path in ["/hooks/unknown", "/hooks/UPPER", "/hooks/a%2Fb", "/hooks/%00", "/hooks/..%2Fshop"]
    {
        let answer = rig.send(&request("POST", path, &[JSON, ("X-Signature", "x")], BODY));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, "there is no such webhook\n"),
            "{path}"
        );
    }
}

#[test]
fn another_method_or_type_is_refused() {
    let rig = rig();
    let signature = format!("sha256={}", signature(SECRET, BODY));
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let headers = [JSON, ("X-Signature", signature.as_str())];
        let answer = rig.send(&request(method, "/hooks/shop", &headers, BODY));
        assert_eq!(answer.status, 405, "{method}");
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain", ""] {
        let headers = [("Content-Type", kind), ("X-Signature", signature.as_str())];
        let answer = rig.send(&request("POST", "/hooks/shop", &headers, BODY));
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert!(rig.orders().is_empty());
}

#[test]
fn an_event_that_moves_no_branch_is_taken_and_wakes_nobody() {
    let rig = rig();
    let signature = format!("sha256={}", signature(SECRET, BODY));
    let headers = [JSON, ("X-Hub-Signature-256", signature.as_str()), ("X-GitHub-Event", "ping")];
    assert_eq!(rig.send(&request("POST", "/hooks/shop-github", &headers, BODY)).status, 200);
    assert!(rig.orders().is_empty());
}

#[test]
fn a_daemon_that_is_busy_says_so_and_one_that_looks_already_is_content() {
    let rig = rig();
    rig.refuse(Refusal::Busy("full".to_owned()));
    assert_eq!(signed(&rig, BODY).status, 503);
    rig.refuse(Refusal::Conflict("looks already".to_owned()));
    assert_eq!(signed(&rig, b"{}").status, 202);
}

#[test]
fn bytes_that_are_no_http_end_only_their_own_connection() {
    let rig = rig();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n", b""] {
        assert!(matches!(rig.send(bytes).status, 0 | 400));
    }
    let endless = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 600_000]].concat();
    assert!(matches!(rig.send(&endless).status, 0 | 431));
    assert_eq!(rig.ask("GET", "/healthz", &[]).status, 200);
}

#[test]
fn every_outcome_is_counted() {
    let rig = rig();
    signed(&rig, BODY);
    signed(&rig, BODY);
    let page = rig.ask("GET", "/metrics", &[]).body;
    for line in [
        "gitdeploy_webhook_requests_total{hook=\"shop\",result=\"woken\"} 1",
        "gitdeploy_webhook_requests_total{hook=\"shop\",result=\"replayed\"} 1",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}\n{page}");
    }
}
