//! Real proxies: nginx and HAProxy, as processes of this machine or in containers.
//!
//! Each has a configuration of its owner with a page of its own, and a folder for the one file that
//! the program manages.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::images::{Recipe, find, once};
use super::load::get;
use super::ports::Ports;
use super::process::{Background, Ended, docker, finish, try_docker};

/// What answers on the port of the proxy's owner.
pub(crate) const FOREIGN_PAGE: &str = "not yours\n";
/// The port of the owner's page inside a container.
pub(super) const FOREIGN_PORT: u16 = 8081;
const START_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
}

/// Where a proxy runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    OnHost,
    InContainer,
}

/// A proxy that runs until dropped.
pub(crate) struct RealProxy {
    /// Its name in the inventory; that of its container too.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Where requests for routes go: nobody listens there before the first deployment.
    pub(crate) address: SocketAddr,
    /// Where its owner's page is.
    pub(crate) foreign: SocketAddr,
    folder: PathBuf,
    place: Place,
    /// Whether it speaks TLS there, with a certificate that nobody trusts.
    is_encrypted: bool,
}

enum Place {
    Host(Background),
    Container,
}

impl RealProxy {
    /// Starts one with its files in `folder`, and waits until it serves its owner's page.
    pub(super) fn start(
        kind: Kind,
        runs: Runs,
        project: &str,
        folder: &Path,
        ports: &Ports,
    ) -> Self {
        let name = format!("{project}-{}", kind.program());
        let folder = folder.join(kind.program());
        fs::create_dir_all(folder.join("conf.d")).expect("a folder");
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (address, foreign) = (local(ports.next()), local(ports.next()));
        let place = match runs {
            Runs::OnHost => {
                let main = kind.configuration(&folder.display().to_string(), foreign.port());
                fs::write(folder.join("main.conf"), main).expect("a file");
                let mut command = kind.command(&folder);
                Place::Host(Background::start(&mut command, &folder.join("log")))
            }
            Runs::InContainer => {
                let publish = format!("{address}:80");
                let page = format!("{foreign}:{FOREIGN_PORT}");
                let label = format!("gitdeploy-test={project}");
                let mut run = vec!["run", "-d", "--name", &name, "--label", &label];
                run.extend(["-p", &publish, "-p", &page, kind.image()]);
                docker(&run);
                Place::Container
            }
        };
        let is_encrypted = false;
        let proxy = Self { name, kind, address, foreign, folder, place, is_encrypted };
        proxy.wait();
        proxy
    }

    /// From the first deployment on it speaks TLS, on the host.
    pub(super) fn with_tls(mut self) -> Self {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=example.com"]);
        openssl.args(["-keyout", &file("site.pem.key"), "-out", &file("site.pem")]);
        let made = finish(&mut openssl, Vec::new(), Duration::from_secs(60));
        assert_eq!(made.code, 0, "{}", made.stderr);
        self.is_encrypted = true;
        self
    }

    /// Its entry below `proxies:` of an inventory, for the host `local`.
    pub(crate) fn inventory(&self) -> String {
        let Self { name, kind, address, folder, .. } = self;
        let program = kind.program();
        let folder = folder.display();
        let extension = kind.extension();
        let port = address.port();
        let text = format!("  {name}:\n    kind: {program}\n    hosts: [local]\n");
        let place = match &self.place {
            Place::Container => format!(
                "    runs: container:{name}\n    \
                 config: /etc/{program}/conf.d/gitdeploy.{extension}\n    listen: [80]\n    \
                 test: {:?}\n",
                kind.container_test()
            ),
            Place::Host(process) => {
                let (test, reload) = self.commands(process.id());
                let listen = match self.is_encrypted {
                    false => format!("\"127.0.0.1:{port}\""),
                    true => format!(
                        "{{address: 127.0.0.1, port: {port}, tls: {{cert: {folder}/site.pem, key: \
                         {folder}/site.pem.key}}}}"
                    ),
                };
                format!(
                    "    config: {folder}/conf.d/gitdeploy.{extension}\n    listen: [{listen}]\n    \
                     test: {test:?}\n    reload: {reload:?}\n"
                )
            }
        };
        let socket = match kind {
            Kind::Nginx => String::new(),
            Kind::Haproxy => format!("    socket: {}\n", self.socket()),
        };
        text + &place + &socket
    }

    /// What checks its configuration and what makes it read it, on the host.
    fn commands(&self, id: u32) -> (Vec<String>, Vec<String>) {
        let main = self.folder.join("main.conf").display().to_string();
        let managed = self.folder.join("conf.d").display().to_string();
        let program = find(self.kind.program()).display().to_string();
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match self.kind {
            Kind::Nginx => (
                words(&[&program, "-t", "-q", "-c", &main]),
                words(&[&program, "-s", "reload", "-c", &main]),
            ),
            Kind::Haproxy => (
                words(&[&program, "-c", "-q", "-f", &main, "-f", &managed]),
                words(&["sh", "-c", &format!("kill -USR2 {id}")]),
            ),
        }
    }

    fn socket(&self) -> String {
        match self.place {
            Place::Host(_) => self.folder.join("admin.sock").display().to_string(),
            Place::Container => "/run/haproxy/admin.sock".to_owned(),
        }
    }

    /// The managed file as it is now.
    pub(crate) fn managed(&self) -> Option<String> {
        match self.place {
            Place::Host(_) => fs::read_to_string(self.managed_path()).ok(),
            Place::Container => {
                try_docker(&["exec", &self.name, "cat", &self.managed_path()], Vec::new()).ok()
            }
        }
    }

    /// Writes it, as somebody with an editor might.
    pub(crate) fn edit(&self, text: &str) {
        let path = self.managed_path();
        match self.place {
            Place::Host(_) => fs::write(path, text).expect("a file"),
            Place::Container => {
                let cat = ["exec", "-i", &self.name, "sh", "-c", "cat > $0", &path];
                try_docker(&cat, text.into()).unwrap_or_else(|problem| panic!("{problem}"));
            }
        }
    }

    /// Writes another file beside it, as its owner might.
    pub(crate) fn add_foreign(&self, text: &str) {
        let path = self.folder.join(format!("conf.d/owner.{}", self.kind.extension()));
        fs::write(path, text).expect("a file");
    }

    /// All files of its owner.
    pub(crate) fn foreign_files(&self) -> String {
        let owner = format!("conf.d/owner.{}", self.kind.extension());
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("main.conf") + &read(&owner)
    }

    pub(crate) fn managed_path(&self) -> String {
        let file = format!("conf.d/gitdeploy.{}", self.kind.extension());
        match self.place {
            Place::Host(_) => self.folder.join(file).display().to_string(),
            Place::Container => format!("/etc/{}/{file}", self.kind.program()),
        }
    }

    /// What HAProxy on the host answers to a command at its socket.
    pub(crate) fn command(&self, text: &str) -> String {
        let mut socket = std::os::unix::net::UnixStream::connect(self.socket()).expect("a socket");
        std::io::Write::write_all(&mut socket, format!("{text}\n").as_bytes()).expect("asked");
        std::io::read_to_string(socket).expect("an answer")
    }

    /// Sends a signal to the process it was started as on the host.
    pub(crate) fn signal(&self, name: &str) {
        if let Place::Host(process) = &self.place {
            process.signal(name);
        }
    }

    /// Makes it read its configuration, as its owner or a timer might at any time.
    pub(crate) fn reload(&self) {
        match &self.place {
            Place::Host(process) => process.signal(self.kind.reload_signal()),
            Place::Container => {
                docker(&["kill", "--signal", self.kind.reload_signal(), &self.name]);
            }
        }
    }

    /// Its own check of all its configuration.
    pub(crate) fn test(&self) -> Ended {
        let limit = Duration::from_secs(60);
        let mut command = match &self.place {
            Place::Host(process) => {
                let (test, _) = self.commands(process.id());
                let mut command = Command::new(&test[0]);
                command.args(&test[1..]);
                command
            }
            Place::Container => {
                let mut command = Command::new("docker");
                command.args(["exec", &self.name]).args(self.kind.container_test());
                command
            }
        };
        finish(&mut command, Vec::new(), limit)
    }

    fn wait(&self) {
        let since = Instant::now();
        // A published port accepts before anything in the container listens: only an answer counts.
        while get(self.foreign, "owner", "/").is_err() {
            assert!(since.elapsed() < START_MAX, "{} does not start:\n{}", self.name, self.log());
            thread::sleep(Duration::from_millis(20));
        }
        if self.kind == Kind::Haproxy {
            // Its worker serves before its master listens to signals: a reload that is asked for
            // right away is forgotten.
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        match self.place {
            Place::Host(_) => {
                let read = |name: &str| fs::read_to_string(self.folder.join(name));
                read("log").unwrap_or_default() + &read("error.log").unwrap_or_default()
            }
            Place::Container => docker(&["logs", &self.name]),
        }
    }
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Nginx => "conf",
            Self::Haproxy => "cfg",
        }
    }

    fn reload_signal(self) -> &'static str {
        match self {
            Self::Nginx => "HUP",
            Self::Haproxy => "USR2",
        }
    }

    fn container_test(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx", "-t", "-q"],
            Self::Haproxy => &[
                "haproxy",
                "-c",
                "-q",
                "-f",
                "/etc/haproxy/haproxy.cfg",
                "-f",
                "/etc/haproxy/conf.d",
            ],
        }
    }

    /// How it is started on the host, in the foreground.
    fn command(self, folder: &Path) -> Command {
        let mut command = Command::new(find(self.program()));
        let main = folder.join("main.conf");
        match self {
            Self::Nginx => command.args(["-g", "daemon off;", "-c"]).arg(main),
            Self::Haproxy => {
                command.args(["-W", "-f"]).arg(main).arg("-f").arg(folder.join("conf.d"))
            }
        };
        command
    }

    /// The configuration of its owner, with all state below `folder`.
    fn configuration(self, folder: &str, port: u16) -> String {
        match self {
            Self::Nginx => nginx(folder, port, &format!("{folder}/conf.d")),
            Self::Haproxy => haproxy(&format!("{folder}/admin.sock"), port),
        }
    }

    /// The name of its image, which the engine has from now on.
    fn image(self) -> &'static str {
        match self {
            Self::Nginx => {
                static DONE: Mutex<bool> = Mutex::new(false);
                once(&DONE, || nginx_recipe().import());
                NGINX_IMAGE
            }
            Self::Haproxy => {
                static DONE: Mutex<bool> = Mutex::new(false);
                once(&DONE, || haproxy_recipe().import());
                HAPROXY_IMAGE
            }
        }
    }
}

const NGINX_IMAGE: &str = "gitdeploy-test/nginx:host";
const HAPROXY_IMAGE: &str = "gitdeploy-test/haproxy:host";

fn nginx_recipe() -> Recipe {
    let mut recipe = Recipe::new(NGINX_IMAGE);
    recipe.program("nginx", "/usr/sbin/nginx");
    recipe.shell();
    for folder in ["/etc/nginx/conf.d", "/var/log/nginx", "/var/lib/nginx"] {
        recipe.folder(folder, 0o755);
    }
    let main = nginx("/tmp", FOREIGN_PORT, "/etc/nginx/conf.d")
        .replace("/tmp/nginx.pid", "/run/nginx.pid");
    recipe.file("/etc/nginx/nginx.conf", main.as_bytes(), 0o644);
    recipe.set("ENV PATH=/usr/sbin:/bin");
    recipe.set("CMD [\"nginx\", \"-g\", \"daemon off;\"]");
    recipe
}

fn haproxy_recipe() -> Recipe {
    let mut recipe = Recipe::new(HAPROXY_IMAGE);
    recipe.program("haproxy", "/usr/sbin/haproxy");
    recipe.shell();
    for folder in ["/etc/haproxy/conf.d", "/run/haproxy"] {
        recipe.folder(folder, 0o755);
    }
    let main = haproxy("/run/haproxy/admin.sock", FOREIGN_PORT);
    recipe.file("/etc/haproxy/haproxy.cfg", main.as_bytes(), 0o644);
    recipe.set("ENV PATH=/usr/sbin:/bin");
    recipe.set(
        "CMD [\"haproxy\", \"-W\", \"-f\", \"/etc/haproxy/haproxy.cfg\", \"-f\", \"/etc/haproxy/conf.d\"]",
    );
    recipe
}

pub(super) fn nginx(folder: &str, port: u16, managed: &str) -> String {
    let page = FOREIGN_PAGE.trim_end();
    // Only root may change to another user, and has to: the default user may not be there.
    let user = if is_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {folder}/temp_{name};\n"))
        .concat();
    format!(
        "{user}worker_processes 2;\npid {folder}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 2048; }}\nhttp {{\n  access_log off;\n{temporary}  \
         server {{ listen {port}; location / {{ return 200 \"{page}\\n\"; }} }}\n  \
         include {managed}/*.conf;\n}}\n"
    )
}

pub(super) fn haproxy(socket: &str, port: u16) -> String {
    let page = FOREIGN_PAGE.trim_end();
    format!(
        "global\n  maxconn 4000\n  stats socket {socket} mode 600 level admin expose-fd listeners\n\
         \ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 1m\n  timeout server 1m\n\
         \nfrontend owner\n  bind :{port}\n  \
         http-request return status 200 content-type text/plain lf-string \"{page}\\n\"\n"
    )
}

fn is_root() -> bool {
    let mut id = Command::new("id");
    finish(id.arg("-u"), Vec::new(), Duration::from_secs(60)).stdout.trim() == "0"
}
