//! A forge that knocks: a signed delivery is followed by a deployment, anything else by nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::super::rig::{Kind, Variant, alone};
use super::super::shop::Shop;
use super::{Daemon, rules};

const SECRET: &str = "what only the forge knows";

/// So long is waited for what must not happen. The daemon asks for nothing by itself meanwhile.
const NOTHING: Duration = Duration::from_secs(2);

/// A door at which GitHub's deliveries are taken.
struct Door(SocketAddr);

impl Door {
    /// A free one, and the lines about it: of the file and of the source.
    fn new(shop: &Shop) -> (Self, String, String) {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let address = free.expect("a free port");
        let secret = shop.world.folder().join("secret");
        std::fs::write(&secret, SECRET).expect("a file");
        let source = format!(
            "    interval: 1h\n    look: 1h\n    webhook: {{kind: github, secret: {{file: {}}}}}\n",
            secret.display()
        );
        (Self(address), format!("listen: {address}\n"), source)
    }

    /// Brings a delivery; the status of the answer comes back.
    fn knock(&self, id: &str, body: &str, secret: &str) -> u16 {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        let mac = mac.chain_update(body).finalize().into_bytes();
        let signature: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = format!(
            "POST /hooks/shop HTTP/1.1\r\nHost: deploy.example.com\r\nContent-Type: \
             application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {id}\r\n\
             X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.0).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
    }
}

fn body(commit: &str) -> String {
    format!("{{\"ref\":\"refs/heads/main\",\"after\":\"{commit}\"}}")
}

#[test]
fn a_forge_and_a_chat_that_are_down_hold_nothing_up_and_no_secret_is_said() {
    let mut shop = Shop::open("sync-down", Kind::Haproxy);
    let image = shop.world.tag("two", Variant::V2);
    let [token, chat] = ["token", "chat"].map(|name| shop.world.folder().join(name));
    std::fs::write(&token, "a-token-of-the-forge").expect("a file");
    std::fs::write(&chat, "http://127.0.0.1:1/a-secret-address").expect("a file");
    // Nobody listens there.
    let forge = "{kind: forgejo, api: 'http://127.0.0.1:1/api/v1', repository: acme/shop";
    let source =
        format!("    interval: 1s\n    forge: {forge}, token: {{file: {}}}}}\n", token.display());
    let notify = format!(
        "notify:\n  - {{kind: slack, url: {{file: {}}}, about: [synced, failed]}}\n",
        chat.display()
    );
    let daemon = Daemon::of(&shop.world, "sync", &rules(&shop.world, &notify, &source));
    daemon.says("is new");
    for image in [&image, &shop.image] {
        let commit = shop.release(image, "");
        daemon.says(&format!("for {} is done", &commit[..7]));
        shop.assert_settled(&commit);
    }
    daemon.says("warning: ");
    for secret in ["a-token-of-the-forge", "a-secret-address"] {
        assert!(!daemon.said().contains(secret), "{}", daemon.said());
    }
    daemon.stop();
}

#[test]
fn a_signed_delivery_is_followed_by_a_deployment_without_loss_and_a_forged_or_old_one_by_nothing() {
    let _alone = alone();
    let mut shop = Shop::open("sync-hook", Kind::Nginx);
    let (one, two) = (shop.image.clone(), shop.world.tag("two", Variant::V2));
    let (door, file, source) = Door::new(&shop);
    let daemon = Daemon::of(&shop.world, "sync", &rules(&shop.world, &file, &source));
    daemon.says("is new");
    let load = shop.load().start();

    let commit = shop.release(&two, "");
    assert_eq!(door.knock("1", &body(&commit), "what somebody guesses"), 401, "forged");
    std::thread::sleep(NOTHING);
    assert!(!daemon.said().contains(&commit[..7]), "{}", daemon.said());
    assert_eq!(door.knock("2", &body(&commit), SECRET), 202);
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);

    let next = shop.release(&one, "");
    assert_eq!(door.knock("2", &body(&commit), SECRET), 409, "repeated");
    std::thread::sleep(NOTHING);
    assert!(!daemon.said().contains(&next[..7]), "{}", daemon.said());
    assert_eq!(door.knock("3", &body(&next), SECRET), 202);
    daemon.says(&format!("for {} is done", &next[..7]));
    shop.assert_settled(&next);

    assert!(!daemon.said().contains(SECRET));
    daemon.stop();
    load.finish().assert_nothing_lost();
    assert_eq!(shop.all().len(), 2, "{:?}", shop.all());
}
