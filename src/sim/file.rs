//! What the real files of proxies mean, read roughly: names, paths, backends, servers.

use super::state::{Running, SimRoute};
use crate::model::{BackendKey, Endpoint, Generation};

/// What a file tells a proxy to do.
pub(super) fn running(file: &str) -> Running {
    let mut reader = Reader::default();
    file.lines().map(str::trim).for_each(|line| reader.line(line));
    let mut running = reader.running;
    // An exact path before others, a longer one before shorter ones, a name before a wildcard.
    running.routes.sort_by_key(|route| {
        let length = std::cmp::Reverse((route.host.len(), route.path.len()));
        (route.host.starts_with('*'), length, route.is_prefix)
    });
    running
}

impl Running {
    /// The backend that a request goes to.
    pub fn meets(&self, host: &str, path: &str) -> Option<&String> {
        self.routes.iter().find(|route| route.takes(host, path))?.backend.as_ref()
    }
}

impl SimRoute {
    fn takes(&self, host: &str, path: &str) -> bool {
        let is_name = match self.host.strip_prefix('*') {
            Some(_) if host == self.host => true,
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.host,
        };
        let is_path = match self.is_prefix {
            true => path.starts_with(&self.path) || format!("{path}/") == self.path,
            false => path == self.path,
        };
        is_name && is_path
    }
}

#[derive(Default)]
struct Reader {
    running: Running,
    /// The backend whose servers are listed here.
    section: Option<String>,
    /// nginx's `server_name`.
    host: String,
    /// nginx's `location`: its path, and whether longer ones are meant.
    location: Option<(String, bool)>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(name) = head(line) {
            self.running.backends.entry(name.clone()).or_default();
            self.section = Some(name);
        } else if line == "}" || line.starts_with("frontend ") || line.starts_with("listen ") {
            self.section = None;
            self.location = None;
        } else if let (Some(name), Some(server)) = (&self.section, server(line)) {
            self.running.backends.entry(name.clone()).or_default().insert(server);
        } else if line.starts_with("# gitdeploy") {
            let generation = self.running.generation.or_else(|| generation(line));
            self.running.generation = generation;
        } else if let Some(name) = line.strip_prefix("server_name ") {
            name.trim_end_matches(';').clone_into(&mut self.host);
        } else if line.starts_with("location ") {
            let path = line.split('"').nth(1).map(str::to_owned);
            self.location = path.map(|path| (path, !line.starts_with("location = ")));
        } else if let Some(upstream) = line.strip_prefix("proxy_pass http://") {
            self.route(Some(upstream.trim_end_matches(';').to_owned()));
        } else if line == "return 503;" {
            self.route(None);
        } else if let Some(rule) = line.strip_prefix("use_backend ") {
            self.acl(rule);
        }
    }

    fn route(&mut self, backend: Option<String>) {
        let Some((path, is_prefix)) = self.location.clone() else { return };
        let host = self.host.clone();
        self.running.routes.push(SimRoute { host, path, is_prefix, backend });
    }

    /// `BACKEND if { var(…host) -m str "HOST" } { var(…path) -m beg "PATH" }`.
    fn acl(&mut self, rule: &str) {
        let Some((backend, condition)) = rule.split_once(' ') else { return };
        let mut quoted = condition.split('"').skip(1).step_by(2);
        let Some(host) = quoted.next() else { return };
        if backend == "gitdeploy-nowhere" {
            return;
        }
        let host = if host.starts_with('.') { format!("*{host}") } else { host.to_owned() };
        let path = quoted.next();
        self.running.routes.push(SimRoute {
            host,
            path: path.unwrap_or("/").to_owned(),
            is_prefix: path.is_none() || condition.contains("-m beg"),
            backend: Some(backend.to_owned()),
        });
    }
}

/// The backend whose section begins here.
fn head(line: &str) -> Option<String> {
    let rest = line.strip_prefix("upstream ").or_else(|| line.strip_prefix("backend "))?;
    let name = rest.split([' ', '{']).next()?;
    name.parse::<BackendKey>().ok().map(|key| key.to_string())
}

/// `server ADDRESS:PORT …` of nginx, `server NAME ADDRESS:PORT …` of HAProxy.
fn server(line: &str) -> Option<Endpoint> {
    let words = line.strip_prefix("server ")?.trim_end_matches(';').split_whitespace();
    let address = words.take(2).find_map(|word| word.parse::<std::net::SocketAddr>().ok())?;
    Some(Endpoint { address: address.ip(), port: address.port() })
}

fn generation(line: &str) -> Option<Generation> {
    let (_, rest) = line.split_once("generation")?;
    let digits: String =
        rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_where_the_file_says_in_nginx_and_in_haproxy() {
        let nginx = "upstream shop.web.80 {\n server 127.0.0.1:1000 max_fails=0; # a\n}\n\
            server {\n server_name a.org;\n location = \"/api\" {\n return 503;\n }\n\
            location \"/\" {\n proxy_pass http://shop.web.80;\n }\n}\n";
        let haproxy = "frontend f\n use_backend shop.api.80 if { var(txn.gitdeploy_host) -m str \
            \"a.org\" } { var(txn.gitdeploy_path) -m str \"/api\" }\n\
            use_backend shop.web.80 if { var(txn.gitdeploy_host) -m end \".org\" }\n";
        let meets = |file: &str, path: &str| running(file).meets("a.org", path).cloned();
        assert_eq!(meets(nginx, "/api"), None);
        assert_eq!(meets(nginx, "/other").as_deref(), Some("shop.web.80"));
        assert_eq!(meets(haproxy, "/api").as_deref(), Some("shop.api.80"));
        assert_eq!(meets(haproxy, "/apis").as_deref(), Some("shop.web.80"));
    }
}
