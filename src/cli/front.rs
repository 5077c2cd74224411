//! What a daemon shows and tells, beside its loop: HTTP, notifications, the service manager.
//!
//! Secrets are read here, when the daemon starts and whenever its rules are read anew. One that
//! cannot be read at the start ends the daemon; at a reload, everything stays as it was.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use super::{Failure, World};
use crate::daemon::Hub;
use crate::forge::notify::{self, About, Body, Mail, Post, Recipient, Told, Tries, Way};
use crate::forge::{Forge, ForgeKind, ForgeToken, RateLimit};
use crate::model::Name;
use crate::ports::Clock;
use crate::server::{Doors, HookKey, Key, Keys, Limits, Supervisor, serve};
use crate::sync::{HookKind, Notice, Notify, NotifyKind, Rules, Secret, Source};

/// How long letters may take once the loop has ended.
const LAST_LETTERS: Duration = Duration::from_secs(10);

/// How long letters may take that were due before the rules were read anew: every try of some.
const LETTERS_BEFORE: Duration = Duration::from_secs(180);

/// Who tells, by the rules of one time.
struct Telling {
    task: tokio::task::JoinHandle<()>,
    /// Whether others tell what happens from now on.
    relieved: watch::Sender<bool>,
}

/// Everything beside the loop. It ends when it is dropped.
pub(super) struct Front {
    keys: watch::Sender<Arc<Keys>>,
    ending: watch::Sender<bool>,
    listening: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    address: Option<SocketAddr>,
    telling: Telling,
    /// Those who were relieved, and may have letters left.
    before: Vec<Telling>,
    told: Arc<Mutex<Told>>,
    limits: Arc<Mutex<BTreeMap<Name, RateLimit>>>,
    notices: broadcast::Receiver<Notice>,
    /// The service manager.
    pub(super) supervisor: Arc<Supervisor>,
}

impl Front {
    /// Opens the door, if the rules name one.
    pub(super) async fn open(
        rules: &Rules,
        hub: &Hub,
        clock: Arc<dyn Clock>,
        world: &World,
    ) -> Result<Self, Failure> {
        let recipients = recipients(rules, world)?;
        let limits = Arc::new(Mutex::new(limits(&recipients)));
        let (keys, known) = watch::channel(Arc::new(keys(rules, world)?));
        let (ending, ended) = watch::channel(false);
        let listening = match rules.listen {
            None => None,
            Some(address) => {
                let listener = listener(address).await?;
                let doors = Doors {
                    picture: hub.picture.clone(),
                    notices: hub.notices.resubscribe(),
                    orders: hub.orders.clone(),
                    keys: known,
                    clock: Arc::new(move || clock.now()),
                    limits: said_by(&limits),
                };
                Some(tokio::spawn(serve(listener, doors, ended)))
            }
        };
        let told = Arc::default();
        let notices = hub.notices.resubscribe();
        let telling = tell(recipients, notices.resubscribe(), Arc::clone(&told));
        let supervisor = Arc::new(supervisor(world)?);
        let (address, before) = (rules.listen, Vec::new());
        Ok(Self {
            keys,
            ending,
            listening,
            address,
            telling,
            before,
            told,
            limits,
            notices,
            supervisor,
        })
    }

    /// Takes other rules. The address it listens on stays what it was; where the rules name another
    /// one, that is said in what it gives. Letters that are due are still brought to whom they were
    /// for.
    pub(super) fn reload(
        &mut self,
        rules: &Rules,
        world: &World,
    ) -> Result<Option<String>, Failure> {
        let recipients = recipients(rules, world)?;
        self.keys.send_replace(Arc::new(keys(rules, world)?));
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits(&recipients);
        self.notices = self.notices.resubscribe();
        // From now on those here; what came before is still with the others, and what comes in
        // between is told by whoever is first.
        let telling = tell(recipients, self.notices.resubscribe(), Arc::clone(&self.told));
        let before = std::mem::replace(&mut self.telling, telling);
        before.relieved.send_replace(true);
        self.before.retain(|it| !it.task.is_finished());
        self.before.push(before);
        Ok(moved(self.address, rules.listen))
    }

    /// Answers what is being asked, tells what is left to tell, and ends: once the loop is gone.
    pub(super) async fn close(mut self) {
        self.ending.send_replace(true);
        if let Some(listening) = self.listening.take() {
            // It ends within seconds; a fault of it must not keep the daemon from ending.
            drop(listening.await);
        }
        let telling = self.before.iter_mut().chain([&mut self.telling]);
        let all = futures_util::future::join_all(telling.map(|it| &mut it.task));
        drop(tokio::time::timeout(LAST_LETTERS, all).await);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        for telling in self.before.iter().chain([&self.telling]) {
            telling.task.abort();
        }
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// What the forges of sources say of how much they still take.
fn limits(recipients: &[Recipient]) -> BTreeMap<Name, RateLimit> {
    let forges = recipients.iter().filter_map(|it| match &it.way {
        Way::Status { forge, .. } => Some((it.sources.first()?.clone(), forge.rate_limit())),
        Way::Post(_) | Way::Mail(_) => None,
    });
    forges.collect()
}

fn said_by(limits: &Arc<Mutex<BTreeMap<Name, RateLimit>>>) -> Limits {
    let limits = Arc::clone(limits);
    Arc::new(move || {
        let limits = limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.iter().filter_map(|(name, it)| Some((name.clone(), it.remaining()?))).collect()
    })
}

async fn listener(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::because(&format!("could not listen on {address}"), &error)
            .hint("see who does: ss -ltnp")
    })
}

/// What to say when the rules name another address than the one that is listened on.
fn moved(now: Option<SocketAddr>, wanted: Option<SocketAddr>) -> Option<String> {
    let words = |address: Option<SocketAddr>| {
        address.map_or_else(|| "nothing".to_owned(), |address| address.to_string())
    };
    (now != wanted).then(|| {
        format!(
            "`listen` is {} now, but the daemon goes on listening on {}: restart it to change that",
            words(wanted),
            words(now)
        )
    })
}

fn tell(
    recipients: Vec<Recipient>,
    notices: broadcast::Receiver<Notice>,
    told: Arc<Mutex<Told>>,
) -> Telling {
    let (relieved, known) = watch::channel(false);
    let task = tokio::spawn(async move {
        let failed = |why: String| warn(&why);
        let relieved = || {
            let mut known = known.clone();
            // Without a sender there is nobody left to be told of.
            async move { drop(known.wait_for(|is_relieved| *is_relieved).await) }
        };
        let telling =
            notify::tell(&recipients, notices, told, Tries::default(), relieved(), failed);
        let too_late = async {
            relieved().await;
            tokio::time::sleep(LETTERS_BEFORE).await;
        };
        tokio::select! {
            biased;
            () = telling => {}
            () = too_late => warn("letters from before the rules were read anew were given up"),
        }
    });
    Telling { task, relieved }
}

/// A line that belongs to no command: a task says it.
fn warn(line: &str) {
    use std::io::Write as _;
    let line = crate::diag::printable_name(line);
    // Nobody is left to tell when the stream is gone.
    drop(writeln!(std::io::stderr(), "warning: {line}"));
}

fn supervisor(world: &World) -> Result<Supervisor, Failure> {
    Supervisor::new(
        world.variable("NOTIFY_SOCKET"),
        world.variable("WATCHDOG_USEC"),
        world.variable("WATCHDOG_PID"),
        std::process::id(),
    )
    .map_err(|error| Failure::because("could not use NOTIFY_SOCKET", &error))
}

fn keys(rules: &Rules, world: &World) -> Result<Keys, Failure> {
    let bad = |what: &str, why: &dyn std::fmt::Display| {
        Failure::new(format!("could not use the secret of {what}: {why}"))
    };
    let login = match &rules.token {
        None => None,
        Some(secret) => {
            let text = read(secret, world).map_err(|why| bad("`token`", &why))?;
            Some(Key::login(&text).map_err(|why| bad("`token`", &why))?)
        }
    };
    let mut hooks = BTreeMap::new();
    for (name, source) in &rules.sources {
        let Some(hook) = &source.hook else { continue };
        let what = format!("the webhook of {name}");
        let text = read(&hook.secret, world).map_err(|why| bad(&what, &why))?;
        let secret = Key::webhook(&text).map_err(|why| bad(&what, &why))?;
        hooks.insert(name.clone(), HookKey { kind: hook.kind, secret });
    }
    Ok(Keys { login, hooks })
}

/// The secret; what is wrong is said without it.
fn read(secret: &Secret, world: &World) -> Result<String, String> {
    match secret {
        Secret::Variable(name) => match world.variable(name) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("the variable {name} is not set")),
        },
        Secret::File(path) => {
            let bytes = std::fs::read(world.folder.join(path))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

/// Everybody who is told: those of the rules, and the forge of each source.
fn recipients(rules: &Rules, world: &World) -> Result<Vec<Recipient>, Failure> {
    let mut all = Vec::new();
    for (number, notify) in rules.notify.iter().enumerate() {
        let name = format!("recipient {} of `notify`", number + 1);
        let way = way(&notify.kind, world)
            .map_err(|why| Failure::new(format!("could not use {name}: {why}")))?;
        let about = about(notify)
            .map_err(|word| Failure::new(format!("could not use {name}: about `{word}`")))?;
        all.push(Recipient { name, about, sources: notify.sources.clone(), way });
    }
    for (source, it) in &rules.sources {
        let name = format!("the forge of {source}");
        let forge =
            forge(it, world).map_err(|why| Failure::new(format!("could not use {name}: {why}")))?;
        let Some(forge) = forge else { continue };
        let about = vec![About::Synced, About::Failed, About::RolledBack];
        let environment = it.environment.as_ref().unwrap_or(source);
        let way = Way::Status { forge, context: format!("gitdeploy/{environment}") };
        all.push(Recipient { name, about, sources: vec![source.clone()], way });
    }
    Ok(all)
}

fn about(notify: &Notify) -> Result<Vec<About>, String> {
    let parsed = notify.about.iter().map(|word| About::parse(word).ok_or_else(|| word.clone()));
    let mut about: Vec<About> = parsed.collect::<Result<_, _>>()?;
    // Who hears of trouble hears of its end.
    if about.contains(&About::Troubled) {
        about.push(About::Recovered);
    }
    Ok(about)
}

fn way(kind: &NotifyKind, world: &World) -> Result<Way, String> {
    Ok(match kind {
        NotifyKind::Webhook { url, template } => {
            let body = template.clone().map_or(Body::Plain, Body::Template);
            Way::Post(Post::new(&read(url, world)?, body)?)
        }
        NotifyKind::Slack { url } => Way::Post(Post::new(&read(url, world)?, Body::Slack)?),
        NotifyKind::Mail { server, login, from, to } => {
            let login = login.as_ref();
            let login = login.map(|(user, secret)| Ok((user.clone(), read(secret, world)?)));
            let login: Option<(String, String)> = login.transpose().map_err(|why: String| why)?;
            Way::Mail(Mail::new(server, login, from, to)?)
        }
    })
}

fn forge(source: &Source, world: &World) -> Result<Option<Forge>, String> {
    let Some(forge) = &source.forge else { return Ok(None) };
    let kind = match forge.kind {
        HookKind::Github => ForgeKind::Github,
        HookKind::Gitlab | HookKind::GitlabSigned => ForgeKind::Gitlab,
        HookKind::Gitea => ForgeKind::Gitea,
        HookKind::Forgejo => ForgeKind::Forgejo,
        HookKind::Generic => return Err("no API is known of this kind".to_owned()),
    };
    let token = ForgeToken::new(&read(&forge.token, world)?).map_err(|why| why.to_string())?;
    Forge::new(kind, &forge.api, &forge.repository, token)
        .map(Some)
        .map_err(|error| crate::diag::words(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_changes_is_said_to_hold_only_after_a_restart() {
        let at = |text: &str| Some(text.parse().expect("an address"));
        let (one, other) = (at("127.0.0.1:8090"), at("127.0.0.1:8091"));
        assert_eq!(moved(one, one), None);
        assert_eq!(moved(None, None), None);
        insta::assert_snapshot!(moved(one, other).expect("words"), @"`listen` is 127.0.0.1:8091 now, but the daemon goes on listening on 127.0.0.1:8090: restart it to change that");
        assert!(moved(one, None).is_some_and(|words| words.contains("`listen` is nothing now")));
    }
}
