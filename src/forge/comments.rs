//! One comment for each marker, edited in place.
//!
//! It is ours when it begins with the marker and was written by us: anybody can quote a marker.

use reqwest::Method;
use serde_json::{Value, json};

use super::http::Question;
use super::{Forge, ForgeError, ForgeKind};

/// The most pages that are looked through: 10,000 comments.
const PAGES_MAX: usize = 100;

/// How often the whole is tried when it is not known whether a comment was made.
const ROUNDS: u32 = 3;

/// A comment of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The forge's number.
    pub id: u64,
    /// Its text as it stands there.
    pub body: String,
}

/// What became of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// There was none.
    Created,
    /// There was one, and it says something else now.
    Edited,
    /// It said so already.
    Unchanged,
}

/// Who we are to the forge.
enum Me {
    /// By the name of the login.
    Named(String),
    /// An automaton that may not ask for its own name; its comments are marked as such.
    Bot,
}

impl Forge {
    /// The comment on a pull request that begins with `marker` and is ours; the oldest, if several.
    pub async fn comment(&self, number: u64, marker: &str) -> Result<Option<Comment>, ForgeError> {
        let me = self.me().await?;
        self.find(number, marker, &me).await
    }

    /// Makes the comment that begins with `marker` say `body`, which begins with it too.
    pub async fn upsert(
        &self,
        number: u64,
        marker: &str,
        body: &str,
    ) -> Result<Posted, ForgeError> {
        let me = self.me().await?;
        let mut round = 1;
        loop {
            let found = self.find(number, marker, &me).await?;
            match self.write(number, found, body).await {
                // It may be there: look again before another is made. One that was deleted under
                // our hands is made anew.
                Err(error) if (error.is_unknown() || error.is_missing()) && round < ROUNDS => {
                    round += 1;
                }
                done => return done,
            }
        }
    }

    async fn write(
        &self,
        number: u64,
        found: Option<Comment>,
        body: &str,
    ) -> Result<Posted, ForgeError> {
        let json = json!({ "body": body });
        let Some(Comment { id, body: now }) = found else {
            let path = self.comments_path(number);
            let question = Question::send("write the comment", Method::POST, path, json).once();
            self.ask(&question).await?;
            return Ok(Posted::Created);
        };
        if is_same(&now, body) {
            return Ok(Posted::Unchanged);
        }
        let (method, path) = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
                (Method::PATCH, format!("{}/issues/comments/{id}", self.repository_path()))
            }
            ForgeKind::Gitlab => (Method::PUT, format!("{}/{id}", self.comments_path(number))),
        };
        self.ask(&Question::send("edit the comment", method, path, json)).await?;
        Ok(Posted::Edited)
    }

    async fn find(
        &self,
        number: u64,
        marker: &str,
        me: &Me,
    ) -> Result<Option<Comment>, ForgeError> {
        let what = "list the comments";
        for page in 1..=PAGES_MAX {
            let path = self.comments_path(number);
            let path = match self.kind {
                ForgeKind::Github => format!("{path}?per_page=100&page={page}"),
                ForgeKind::Gitlab => {
                    format!("{path}?per_page=100&page={page}&order_by=created_at&sort=asc")
                }
                // All of them at once.
                ForgeKind::Gitea | ForgeKind::Forgejo if page == 1 => path,
                ForgeKind::Gitea | ForgeKind::Forgejo => format!("{path}?page={page}"),
            };
            let answer = self.ask(&Question::get(what, path)).await?;
            let Some(list) = answer.body.as_array() else {
                let why = "it is no list".to_owned();
                return Err(ForgeError::Unreadable { what: what.to_owned(), why });
            };
            if let Some(found) = list.iter().find_map(|item| self.own(item, marker, me)) {
                return Ok(Some(found));
            }
            if !answer.has_more {
                return Ok(None);
            }
        }
        let why = format!("there are more than {PAGES_MAX} pages");
        Err(ForgeError::Unreadable { what: what.to_owned(), why })
    }

    fn own(&self, item: &Value, marker: &str, me: &Me) -> Option<Comment> {
        let body = item.get("body")?.as_str()?;
        let (user, login) = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => ("user", "login"),
            ForgeKind::Gitlab => ("author", "username"),
        };
        let user = item.get(user)?;
        let name = user.get(login)?.as_str()?;
        let is_mine = match (me, self.kind) {
            (Me::Named(own), _) => name == own,
            (Me::Bot, ForgeKind::Github) => user.get("type").is_some_and(|it| it == "Bot"),
            (Me::Bot, _) => matches!(name, "gitea-actions" | "forgejo-actions"),
        };
        if !is_mine || !body.trim_start().starts_with(marker) {
            return None;
        }
        Some(Comment { id: item.get("id")?.as_u64()?, body: body.to_owned() })
    }

    /// The token of a job may not ask who it is.
    async fn me(&self) -> Result<Me, ForgeError> {
        let what = "ask who the token belongs to";
        let login = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => "login",
            ForgeKind::Gitlab => "username",
        };
        match self.ask(&Question::get(what, "/user".to_owned())).await {
            Ok(answer) => match answer.body.get(login).and_then(Value::as_str) {
                Some(name) => Ok(Me::Named(name.to_owned())),
                None => Err(ForgeError::Unreadable {
                    what: what.to_owned(),
                    why: format!("there is no `{login}` in it"),
                }),
            },
            Err(ForgeError::Refused { status: 403 | 404, .. })
                if self.kind != ForgeKind::Gitlab =>
            {
                Ok(Me::Bot)
            }
            Err(error) => Err(error),
        }
    }

    fn comments_path(&self, number: u64) -> String {
        let repository = self.repository_path();
        match self.kind {
            ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo => {
                format!("{repository}/issues/{number}/comments")
            }
            ForgeKind::Gitlab => format!("{repository}/merge_requests/{number}/notes"),
        }
    }
}

/// Forges change the ends of lines and the end of a text.
fn is_same(there: &str, here: &str) -> bool {
    there.replace("\r\n", "\n").trim_end() == here.trim_end()
}
