use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::model::CommitId;
use crate::sync::{NoticeKind, RoundEnd};

pub(super) fn letter() -> Letter {
    Letter {
        about: About::Failed,
        at: 1_700_000_000_000,
        number: 7,
        source: name("production"),
        stack: Some(name("shop").into()),
        commit: Some(CommitId::new("3f2a1c9d")),
        title: "shop of production could not be synced with 3f2a1c9".to_owned(),
        text: "web <b> was \"not\" ready".to_owned(),
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn failed_round() -> Notice {
    let kind = NoticeKind::Ended {
        round: 1,
        commit: CommitId::new("3f2a1c9d"),
        end: RoundEnd::Failed,
        message: "web was not ready".to_owned(),
        carried: None,
    };
    Notice { number: 1, at: 5, source: name("production"), stack: Some(name("shop").into()), kind }
}

const QUICK: Tries =
    Tries { most: 3, pause: Duration::from_millis(1), within: Duration::from_secs(20) };

/// A server that gives these answers in turn, the last one for ever; what it got is kept.
async fn server(answers: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let got = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&got);
    let count = AtomicUsize::new(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = request(&mut stream).await;
            kept.lock().expect("no panic").push(request);
            let turn = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let answer = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", answers[turn]);
            stream.write_all(answer.as_bytes()).await.expect("it is open");
        }
    });
    (format!("http://{address}/hook?key=geheim"), got)
}

async fn request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.expect("a line");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().expect("a number");
        }
        text += &line;
        if line == "\r\n" || line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.expect("a body");
    text + &String::from_utf8(body).expect("text")
}

/// Tells these notices, and gives what could not be told.
async fn told(recipients: Vec<Recipient>, notices: Vec<Notice>) -> Vec<String> {
    let (sender, receiver) = broadcast::channel(256);
    for notice in notices {
        sender.send(notice).expect("there is a receiver");
    }
    drop(sender);
    let said = Mutex::new(Vec::new());
    tell(&recipients, receiver, Arc::default(), QUICK, std::future::pending(), |why| {
        said.lock().expect("no panic").push(why);
    })
    .await;
    said.into_inner().expect("no panic")
}

fn post(url: &str) -> Recipient {
    Recipient {
        name: "the webhook".to_owned(),
        about: vec![About::Failed],
        sources: Vec::new(),
        way: Way::Post(Post::new(url, Body::Plain).expect("an address")),
    }
}

#[tokio::test]
async fn a_webhook_gets_each_letter_once() {
    let (url, got) = server(&["200 OK"]).await;
    let failures = told(vec![post(&url)], vec![failed_round(), failed_round()]).await;
    assert!(failures.is_empty(), "{failures:?}");
    let got = got.lock().expect("no panic");
    assert_eq!(got.len(), 1);
    assert!(got[0].starts_with("POST /hook?key=geheim HTTP/1.1\r\n"), "{}", got[0]);
    assert!(got[0].contains("\"about\":\"failed\""), "{}", got[0]);
}

#[tokio::test]
async fn who_is_relieved_still_tells_what_has_happened() {
    let (url, got) = server(&["503 Busy", "200 OK"]).await;
    let (sender, receiver) = broadcast::channel(16);
    sender.send(failed_round()).expect("there is a receiver");
    let (recipients, told) = ([post(&url)], Arc::default());
    tell(&recipients, receiver, Arc::clone(&told), QUICK, std::future::ready(()), |why| {
        panic!("{why}")
    })
    .await;
    assert_eq!(got.lock().expect("no panic").len(), 2);
    assert!(told.lock().expect("no panic").letter(&failed_round()).is_none(), "it counts as told");
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again() {
    let (url, got) = server(&["503 Busy", "429 Slow", "200 OK"]).await;
    let failures = told(vec![post(&url)], vec![failed_round()]).await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(got.lock().expect("no panic").len(), 3);
}

#[tokio::test]
async fn what_cannot_be_told_is_given_up_and_its_address_is_not_said() {
    let (url, got) = server(&["500 Broken"]).await;
    let failures = told(vec![post(&url)], vec![failed_round()]).await;
    assert_eq!(got.lock().expect("no panic").len(), 3, "so often and no more");
    insta::assert_snapshot!(failures.join("\n"), @"could not tell the webhook that shop of production could not be synced with 3f2a1c9: it answers 500 Internal Server Error");
}

#[tokio::test]
async fn nothing_listens_and_still_no_address_is_said() {
    let failures = told(vec![post("http://127.0.0.1:1/geheim")], vec![failed_round()]).await;
    assert_eq!(failures.len(), 1);
    assert!(!failures[0].contains("geheim") && !failures[0].contains("127.0.0.1"), "{failures:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (url, got) = server(&["302 Found\r\nLocation: http://127.0.0.1:1/"]).await;
    let failures = told(vec![post(&url)], vec![failed_round()]).await;
    assert_eq!(got.lock().expect("no panic").len(), 1);
    assert!(failures[0].contains("redirects are not followed"), "{failures:?}");
}

#[tokio::test]
async fn who_wants_to_know_something_else_is_left_alone() {
    let (url, got) = server(&["200 OK"]).await;
    let other_kind = Recipient { about: vec![About::Synced], ..post(&url) };
    let other_source = Recipient { sources: vec![name("staging")], ..post(&url) };
    told(vec![other_kind, other_source], vec![failed_round()]).await;
    assert!(got.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn one_that_is_away_holds_up_no_other() {
    let (url, got) = server(&["200 OK"]).await;
    let failures = told(vec![post("http://127.0.0.1:1/"), post(&url)], vec![failed_round()]).await;
    assert_eq!((failures.len(), got.lock().expect("no panic").len()), (1, 1));
}

#[tokio::test]
async fn a_queue_that_is_full_takes_no_more_and_says_so() {
    let (url, got) = server(&["200 OK"]).await;
    let many = (0..200).map(|n| {
        let kind = NoticeKind::Ended {
            round: n,
            commit: CommitId::new(format!("{n:08}")),
            end: RoundEnd::Failed,
            message: String::new(),
            carried: None,
        };
        Notice { kind, ..failed_round() }
    });
    let failures = told(vec![post(&url)], many.collect()).await;
    let got = got.lock().expect("no panic").len();
    assert_eq!(got + failures.len(), 200);
    assert!(failures.iter().all(|it| it.contains("too much waits")), "{failures:?}");
}

/// A mail server that takes one letter; gives what it was told.
async fn mail_server() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let talk = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a visitor");
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let mut heard = String::new();
        let mut is_data = false;
        writer.write_all(b"220 mail.example.com\r\n").await.expect("it is open");
        while let Ok(Some(line)) = lines.next_line().await {
            heard.push_str(&line);
            heard.push('\n');
            let word = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
            let answer = match (is_data, word.as_str()) {
                (true, ".") => "250 taken\r\n",
                (true, _) => continue,
                (false, "DATA") => "354 go on\r\n",
                (false, "QUIT") => break,
                (false, _) => "250 ok\r\n",
            };
            is_data = word == "DATA";
            writer.write_all(answer.as_bytes()).await.expect("it is open");
            if answer.starts_with("250 taken") {
                break;
            }
        }
        heard
    });
    (format!("smtp://{address}"), talk)
}

#[tokio::test]
async fn a_letter_goes_by_mail() {
    let (server, talk) = mail_server().await;
    let to = ["Ops <ops@example.com>".to_owned(), "b@example.com".to_owned()];
    let mail = Mail::new(&server, None, "gitdeploy@example.com", &to).expect("a server");
    let recipient = Recipient { way: Way::Mail(mail), ..post("http://127.0.0.1:1/") };
    let failures = told(vec![recipient], vec![failed_round()]).await;
    assert!(failures.is_empty(), "{failures:?}");
    let heard = talk.await.expect("it ends");
    for line in [
        "MAIL FROM:<gitdeploy@example.com>",
        "RCPT TO:<ops@example.com>",
        "RCPT TO:<b@example.com>",
        "Subject: gitdeploy: shop of production could not be synced with 3f2a1c9",
        "web was not ready",
    ] {
        assert!(heard.contains(line), "{line}\n{heard}");
    }
}

#[tokio::test]
async fn a_login_is_not_sent_in_the_clear() {
    let (server, talk) = mail_server().await;
    let login = Some(("ops".to_owned(), "geheim".to_owned()));
    let to = ["ops@example.com".to_owned()];
    let mail = Mail::new(&server, login, "gitdeploy@example.com", &to).expect("a server");
    let recipient = Recipient { way: Way::Mail(mail), ..post("http://127.0.0.1:1/") };
    let failures = told(vec![recipient], vec![failed_round()]).await;
    assert_eq!(failures.len(), 1, "the server cannot encrypt");
    let heard = talk.await.expect("it ends");
    assert!(!heard.contains("AUTH"), "{heard}");
}
