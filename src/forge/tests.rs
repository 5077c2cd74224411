use super::fixture::{Local, Scripted, gone, ok};
use super::{Forge, ForgeError, ForgeKind, ForgeToken, Posted, Pull, StatusState, TokenError};

const MARKER: &str = "<!-- gitdeploy-review:acme/production -->";

fn me(kind: ForgeKind) -> Scripted {
    match kind {
        ForgeKind::Gitlab => ok(r#"{"username": "me"}"#),
        ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => ok(r#"{"login": "me"}"#),
    }
}

/// A comment as GitHub and Gitea list it.
fn comment(id: u64, login: &str, body: &str) -> String {
    serde_json::json!({"id": id, "user": {"login": login, "type": "User"}, "body": body})
        .to_string()
}

fn list(items: &[String]) -> Scripted {
    ok(format!("[{}]", items.join(",")))
}

fn body(text: &str) -> String {
    format!("{MARKER}\n{text}")
}

async fn upserted(server: &Local, kind: ForgeKind) -> Result<Posted, ForgeError> {
    server.forge(kind).upsert(7, MARKER, &body("new")).await
}

#[tokio::test]
async fn a_comment_is_created_on_github_byte_by_byte() {
    let server =
        Local::serving(vec![me(ForgeKind::Github), list(&[]), Scripted(201, "", "{}".into())])
            .await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Created));
    insta::assert_snapshot!(server.requests().join("\n=====\n"), @r#"
    GET /user HTTP/1.1
    accept: application/vnd.github+json
    authorization: Bearer s3cret
    x-github-api-version: 2022-11-28
    user-agent: gitdeploy/0.1.0
    host: LOCAL


    =====
    GET /repos/acme/shop/issues/7/comments?per_page=100&page=1 HTTP/1.1
    accept: application/vnd.github+json
    authorization: Bearer s3cret
    x-github-api-version: 2022-11-28
    user-agent: gitdeploy/0.1.0
    host: LOCAL


    =====
    POST /repos/acme/shop/issues/7/comments HTTP/1.1
    accept: application/vnd.github+json
    authorization: Bearer s3cret
    x-github-api-version: 2022-11-28
    content-type: application/json
    user-agent: gitdeploy/0.1.0
    host: LOCAL
    content-length: 57

    {"body":"<!-- gitdeploy-review:acme/production -->\nnew"}
    "#);
}

#[tokio::test]
async fn a_comment_is_edited_on_gitlab_byte_by_byte() {
    let note = serde_json::json!([
        {"id": 4, "author": {"username": "eve"}, "body": body("mine, says eve")},
        {"id": 5, "author": {"username": "me"}, "body": body("old")},
    ]);
    let server = Local::serving(vec![me(ForgeKind::Gitlab), ok(note.to_string()), ok("{}")]).await;
    assert_eq!(upserted(&server, ForgeKind::Gitlab).await, Ok(Posted::Edited));
    insta::assert_snapshot!(server.requests().join("\n=====\n"), @r#"
    GET /user HTTP/1.1
    accept: application/json
    private-token: s3cret
    user-agent: gitdeploy/0.1.0
    host: LOCAL


    =====
    GET /projects/acme%2Fshop/merge_requests/7/notes?per_page=100&page=1&order_by=created_at&sort=asc HTTP/1.1
    accept: application/json
    private-token: s3cret
    user-agent: gitdeploy/0.1.0
    host: LOCAL


    =====
    PUT /projects/acme%2Fshop/merge_requests/7/notes/5 HTTP/1.1
    accept: application/json
    private-token: s3cret
    content-type: application/json
    user-agent: gitdeploy/0.1.0
    host: LOCAL
    content-length: 57

    {"body":"<!-- gitdeploy-review:acme/production -->\nnew"}
    "#);
}

#[tokio::test]
async fn gitea_and_forgejo_are_asked_in_their_own_way() {
    for kind in [ForgeKind::Gitea, ForgeKind::Forgejo] {
        let server =
            Local::serving(vec![me(kind), list(&[comment(5, "me", &body("old"))]), ok("{}")]).await;
        assert_eq!(upserted(&server, kind).await, Ok(Posted::Edited));
        assert!(server.requests()[2].contains("\nauthorization: token s3cret\n"));
        assert_eq!(
            server.lines(),
            [
                "GET /user",
                "GET /repos/acme/shop/issues/7/comments",
                "PATCH /repos/acme/shop/issues/comments/5",
            ]
        );
    }
}

#[tokio::test]
async fn a_marker_that_somebody_else_wrote_or_quoted_is_not_ours() {
    let items = [comment(1, "eve", &body("old")), comment(2, "me", &format!("> {}", body("old")))];
    let server = Local::serving(vec![me(ForgeKind::Github), list(&items), ok("{}")]).await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Created));
}

#[tokio::test]
async fn later_pages_are_looked_through_and_no_address_is_followed() {
    let link = "link: <https://evil.example.com/?page=2>; rel=\"next\"\r\n";
    let first = Scripted(200, link, format!("[{}]", comment(1, "eve", "hello")));
    let server = Local::serving(vec![
        me(ForgeKind::Github),
        first,
        list(&[comment(2, "me", &body("old"))]),
        ok("{}"),
    ])
    .await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Edited));
    assert_eq!(
        server.lines()[1..3],
        [
            "GET /repos/acme/shop/issues/7/comments?per_page=100&page=1",
            "GET /repos/acme/shop/issues/7/comments?per_page=100&page=2",
        ]
    );
}

#[tokio::test]
async fn a_comment_that_says_so_already_is_left_alone() {
    let there = body("new").replace('\n', "\r\n");
    let server =
        Local::serving(vec![me(ForgeKind::Github), list(&[comment(5, "me", &there)])]).await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Unchanged));
}

#[tokio::test]
async fn a_job_that_may_not_ask_who_it_is_finds_its_comment_among_those_of_bots() {
    let bot = serde_json::json!([
        {"id": 1, "user": {"login": "eve", "type": "User"}, "body": body("old")},
        {"id": 2, "user": {"login": "github-actions[bot]", "type": "Bot"}, "body": body("old")},
    ]);
    let refused =
        Scripted(403, "", r#"{"message": "Resource not accessible by integration"}"#.into());
    let server = Local::serving(vec![refused, ok(bot.to_string()), ok("{}")]).await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Edited));
    assert_eq!(server.lines()[2], "PATCH /repos/acme/shop/issues/comments/2");
}

#[tokio::test]
async fn a_lost_answer_does_not_make_a_second_comment() {
    let server = Local::serving(vec![
        me(ForgeKind::Github),
        list(&[]),
        gone(),
        list(&[comment(5, "me", &body("new"))]),
    ])
    .await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Unchanged));
}

#[tokio::test]
async fn a_comment_that_was_deleted_under_our_hands_is_made_anew() {
    let server = Local::serving(vec![
        me(ForgeKind::Github),
        list(&[comment(5, "me", &body("old"))]),
        Scripted(404, "", r#"{"message": "Not Found"}"#.into()),
        list(&[]),
        Scripted(201, "", "{}".into()),
    ])
    .await;
    assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Created));
}

#[tokio::test]
async fn a_refusal_is_told_without_the_token() {
    let no = Scripted(403, "", r#"{"message": "s3cret may not\nwrite"}"#.into());
    let server = Local::serving(vec![me(ForgeKind::Github), list(&[]), no]).await;
    let error = upserted(&server, ForgeKind::Github).await.expect_err("a refusal");
    assert_eq!(error.to_string(), "write the comment: 403 *** may not\\u{a}write");
    assert!(error.hint().contains("pull-requests: write"));
}

#[tokio::test]
async fn a_forge_that_wants_a_pause_gets_it() {
    for busy in [
        Scripted(429, "retry-after: 0\r\n", "{}".into()),
        Scripted(403, "retry-after: 1\r\n", "{}".into()),
        Scripted(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1\r\n", "{}".into()),
    ] {
        let server = Local::serving(vec![busy, me(ForgeKind::Github), list(&[]), ok("{}")]).await;
        assert_eq!(upserted(&server, ForgeKind::Github).await, Ok(Posted::Created));
    }
}

#[tokio::test]
async fn what_a_forge_still_takes_is_what_it_last_said() {
    let last = Scripted(200, "x-ratelimit-remaining: 4998\r\n", "{}".into());
    let first = Scripted(200, "x-ratelimit-remaining: 4999\r\n", "{}".into());
    let server = Local::serving(vec![first, last, ok("{}")]).await;
    let forge = server.forge(ForgeKind::Github);
    let limit = forge.rate_limit();
    assert_eq!(limit.remaining(), None);
    for expected in [4999, 4998, 4998] {
        let question = super::http::Question::get("ask", "/user".to_owned());
        forge.ask(&question).await.expect("an answer");
        assert_eq!(limit.remaining(), Some(expected));
    }
}

#[tokio::test]
async fn a_forge_that_wants_too_long_a_pause_is_given_up() {
    let server = Local::serving(vec![Scripted(429, "retry-after: 3600\r\n", "{}".into())]).await;
    let error = upserted(&server, ForgeKind::Github).await.expect_err("no patience");
    assert_eq!(
        error.to_string(),
        "ask who the token belongs to: too many requests; it wants to be asked again in 3600 s"
    );
}

#[tokio::test]
async fn a_forge_that_is_down_is_asked_three_times() {
    let down = Scripted(502, "", "<html>".into());
    let server = Local::serving(vec![down.clone(), gone(), down]).await;
    let error = upserted(&server, ForgeKind::Github).await.expect_err("nobody is there");
    assert_eq!(server.lines().len(), 3);
    assert_eq!(error.to_string(), "ask who the token belongs to: no answer: 502 Bad Gateway");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Scripted(302, "location: http://127.0.0.1:1/\r\n", String::new());
    let server = Local::serving(vec![elsewhere]).await;
    let error = upserted(&server, ForgeKind::Github).await.expect_err("a redirect");
    assert!(error.to_string().ends_with("302 it sends us elsewhere, which is not followed"));
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_told() {
    let server = Local::serving(vec![ok("<html>")]).await;
    let error = upserted(&server, ForgeKind::Github).await.expect_err("no JSON");
    assert!(matches!(error, ForgeError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_pull_request_says_where_it_is() {
    let server =
        Local::serving(vec![ok(r#"{"head": {"sha": "bb"}, "base": {"sha": "aa"}}"#)]).await;
    let pull = server.forge(ForgeKind::Github).pull(7).await;
    assert_eq!(pull, Ok(Pull { head: "bb".into(), base: Some("aa".into()) }));
    let server = Local::serving(vec![ok(r#"{"sha": "bb", "diff_refs": null}"#)]).await;
    let pull = server.forge(ForgeKind::Gitlab).pull(7).await;
    assert_eq!(pull, Ok(Pull { head: "bb".into(), base: None }));
    assert_eq!(server.lines(), ["GET /projects/acme%2Fshop/merge_requests/7"]);
}

async fn status(server: &Local, kind: ForgeKind) -> Result<bool, ForgeError> {
    let url = Some("https://ci.example.com/1");
    let (context, text) = ("gitdeploy/production", "2 to create");
    server.forge(kind).set_status("c0ffee", context, StatusState::Failure, text, url).await
}

#[tokio::test]
async fn a_status_is_set_byte_by_byte() {
    let server = Local::serving(vec![ok("[]"), Scripted(201, "", "{}".into())]).await;
    assert_eq!(status(&server, ForgeKind::Github).await, Ok(true));
    insta::assert_snapshot!(server.requests().join("\n=====\n"), @r#"
    GET /repos/acme/shop/commits/c0ffee/statuses?per_page=100 HTTP/1.1
    accept: application/vnd.github+json
    authorization: Bearer s3cret
    x-github-api-version: 2022-11-28
    user-agent: gitdeploy/0.1.0
    host: LOCAL


    =====
    POST /repos/acme/shop/statuses/c0ffee HTTP/1.1
    accept: application/vnd.github+json
    authorization: Bearer s3cret
    x-github-api-version: 2022-11-28
    content-type: application/json
    user-agent: gitdeploy/0.1.0
    host: LOCAL
    content-length: 120

    {"state":"failure","context":"gitdeploy/production","description":"2 to create","target_url":"https://ci.example.com/1"}
    "#);
}

#[tokio::test]
async fn each_forge_has_its_own_words_for_a_status() {
    for (kind, lines, state) in [
        (
            ForgeKind::Gitlab,
            [
                "GET /projects/acme%2Fshop/repository/commits/c0ffee/statuses?name=gitdeploy%2Fproduction&per_page=1",
                "POST /projects/acme%2Fshop/statuses/c0ffee",
            ],
            r#""state":"failed""#,
        ),
        (
            ForgeKind::Forgejo,
            [
                "GET /repos/acme/shop/statuses/c0ffee?sort=recentupdate&limit=50",
                "POST /repos/acme/shop/statuses/c0ffee",
            ],
            r#""state":"failure""#,
        ),
    ] {
        let server = Local::serving(vec![ok("[]"), ok("{}")]).await;
        assert_eq!(status(&server, kind).await, Ok(true));
        assert_eq!(server.lines(), lines);
        assert!(server.requests()[1].contains(state));
    }
}

#[tokio::test]
async fn a_status_that_says_so_already_is_not_set_again() {
    let there = r#"[{"state": "success", "context": "other", "description": "x"},
        {"state": "failure", "context": "gitdeploy/production", "description": "2 to create"}]"#;
    let server = Local::serving(vec![ok(there)]).await;
    assert_eq!(status(&server, ForgeKind::Github).await, Ok(false));
}

#[tokio::test]
async fn a_pipeline_that_is_busy_is_asked_again() {
    let busy = Scripted(409, "", r#"{"message": "Pipeline is locked"}"#.into());
    let server = Local::serving(vec![ok("[]"), busy, ok("{}")]).await;
    assert_eq!(status(&server, ForgeKind::Gitlab).await, Ok(true));
}

#[tokio::test]
async fn a_status_goes_into_the_pipeline_that_runs() {
    let server = Local::serving(vec![ok("[]"), ok("{}")]).await;
    let forge = server.forge(ForgeKind::Gitlab).with_pipeline(Some(99));
    let set = forge.set_status("c0ffee", "gitdeploy", StatusState::Pending, "", None).await;
    assert_eq!(set, Ok(true));
    assert!(server.requests()[1].contains(r#""pipeline_id":99"#));
}

#[test]
fn names_that_mean_something_in_a_url_are_refused() {
    let token = || ForgeToken::new("t").expect("a token");
    let of = |api: &str, repository: &str| {
        Forge::new(ForgeKind::Github, api, repository, token()).map(drop)
    };
    assert_eq!(of("https://api.github.com/", "acme/shop"), Ok(()));
    for repository in ["acme", "acme/../shop", "acme/shop?x", "acme/shop/x", "/shop", "a b/c"] {
        assert!(of("https://api.github.com", repository).is_err(), "{repository}");
    }
    for api in ["file:///etc/passwd", "api.github.com", "https://u:p@example.com"] {
        assert!(of(api, "acme/shop").is_err(), "{api}");
    }
}

#[test]
fn a_token_is_shown_nowhere() {
    let token = ForgeToken::new(" s3cret\n").expect("a token");
    assert_eq!(format!("{token:?}"), "ForgeToken(***)");
    for (text, why) in [
        ("", TokenError::Empty),
        ("\r\n", TokenError::Empty),
        ("  \n", TokenError::Blank),
        ("a b", TokenError::Words),
        ("first\nsecond\n", TokenError::Words),
        ("t\u{f6}ken", TokenError::Strange),
    ] {
        assert_eq!(ForgeToken::new(text), Err(why), "{text:?}");
    }
}
