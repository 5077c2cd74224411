//! A real proxy of the test's own, on the host or in a container, and replicas behind it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gitdeploy::adapters::docker::Docker;
use gitdeploy::adapters::proxy::connect;
use gitdeploy::diag::Sources;
use gitdeploy::files::Memory;
use gitdeploy::model::{
    Backend, BackendKey, Endpoint, Name, Owner, ProxyState, RoutingTable, Rule,
};
use gitdeploy::ports::{Activation, PortError, Proxy};
use gitdeploy::proxy::Site;
use gitdeploy::settings::{Inventory, ProxyKind};

pub(crate) const HOST: &str = "shop.example.com";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    OnHost,
    InContainer,
}

/// How a proxy on the host listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

/// A proxy that runs until dropped.
pub(crate) struct Stage {
    pub(crate) proxy: Arc<dyn Proxy>,
    /// Where requests for routes go.
    pub(crate) address: SocketAddr,
    settings: gitdeploy::settings::Proxy,
    running: Running,
    // Last, so that the folder goes after the process.
    folder: tempfile::TempDir,
}

enum Running {
    Process(Child),
    Container(String),
}

impl Stage {
    pub(crate) fn start(kind: ProxyKind, place: Place) -> Self {
        Self::with(kind, place, Scheme::Plain)
    }

    pub(crate) fn with(kind: ProxyKind, place: Place, scheme: Scheme) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("conf.d")).expect("a folder");
        let (program, _) = words(kind);
        let (port, own) = (free_port(), free_port());
        let (running, entry, address) = match place {
            Place::OnHost => on_host(kind, scheme, folder.path(), port, own),
            Place::InContainer => in_container(kind, port),
        };
        let socket = match (kind, place) {
            (ProxyKind::Nginx, _) => String::new(),
            (ProxyKind::Haproxy, Place::OnHost) => {
                format!("    socket: {}/admin.sock\n", folder.path().display())
            }
            (ProxyKind::Haproxy, Place::InContainer) => {
                "    socket: /etc/proxy/admin.sock\n".into()
            }
        };
        let text = format!(
            "hosts:\n  here: {{docker: 'unix:///var/run/docker.sock'}}\nproxies:\n  edge:\n    \
             kind: {program}\n    hosts: [here]\n{entry}{socket}"
        );
        let settings = settings(&text);
        let docker = Arc::new(Docker::unix("/var/run/docker.sock").expect("a client"));
        let proxy = connect(&settings, &docker).expect("a proxy");
        let stage = Self { proxy, address, settings, running, folder };
        let page = match place {
            Place::OnHost => SocketAddr::from(([127, 0, 0, 1], own)),
            Place::InContainer => SocketAddr::new(address.ip(), 81),
        };
        until("the proxy starts", || TcpStream::connect(page).is_ok());
        stage
    }

    /// The managed file for a table.
    pub(crate) async fn render(&self, table: &RoutingTable) -> String {
        let state = self.observe().await;
        let site = Site::of(&self.settings, &name("here"), &owner(), &state, None);
        site.render(table).expect("a file")
    }

    pub(crate) async fn observe(&self) -> ProxyState {
        self.proxy.observe().await.expect("a state")
    }

    /// Where the proxy reaches replicas of this machine.
    pub(crate) async fn replicas_at(&self) -> IpAddr {
        self.observe().await.replicas_at.expect("a way to replicas")
    }

    /// A whole switch, as the executor makes it.
    pub(crate) async fn switch(&self, table: &RoutingTable) -> Result<Activation, PortError> {
        let text = self.render(table).await;
        let before = self.proxy.read().await?;
        self.proxy.test(&text).await?;
        self.proxy.swap(before.as_deref(), Some(&text)).await?;
        let activation = self.proxy.activate(table).await?;
        self.confirmed(table.generation).await;
        Ok(activation)
    }

    pub(crate) async fn confirmed(&self, generation: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.proxy.confirm(generation).await.expect("an answer") {
            assert!(Instant::now() < end, "generation {generation} never answers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Changes the managed file as its owner's editor would.
    pub(crate) fn edit(&self, text: &str) {
        let path = &self.settings.config.value;
        match &self.running {
            Running::Process(_) => fs::write(path, text).expect("written"),
            Running::Container(name) => {
                let file = self.folder.path().join("edited");
                fs::write(&file, text).expect("written");
                docker(&["cp", &file.display().to_string(), &format!("{name}:{path}")]);
            }
        }
    }

    /// Another file of the folder on the host that the managed one is in, with its extension.
    pub(crate) fn write_beside(&self, name: &str, text: &str) {
        let ours = Path::new(&self.settings.config.value);
        let extension = ours.extension().expect("an extension");
        fs::write(ours.with_file_name(name).with_extension(extension), text).expect("written");
    }

    /// Every file of the proxy's configuration folders, by name.
    pub(crate) fn files(&self) -> String {
        let list = |folder: &str| match &self.running {
            Running::Process(_) => output(Command::new("ls").args(["-A1", folder])),
            Running::Container(name) => docker(&["exec", name, "ls", "-A1", folder]),
        };
        let folder = Path::new(&self.settings.config.value).parent().expect("a folder");
        let above = folder.parent().expect("a folder");
        list(&folder.display().to_string()) + "\n" + &list(&above.display().to_string())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        match &mut self.running {
            Running::Process(child) => {
                let id = child.id().to_string();
                drop(Command::new("kill").args(["-TERM", &id]).status());
                drop(child.wait());
            }
            Running::Container(name) => {
                drop(Command::new("docker").args(["rm", "-f", "-v", name]).output());
            }
        }
    }
}

/// A listener with a certificate of its own making, which nobody trusts.
fn certified(at: &str, port: u16) -> String {
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=example.com"];
    let (cert, key) = (format!("{at}/site.pem"), format!("{at}/site.pem.key"));
    output(Command::new("openssl").args(request).args(["-keyout", &key, "-out", &cert]));
    format!("{{address: 127.0.0.1, port: {port}, tls: {{cert: {cert}, key: {key}}}}}")
}

/// A process of the host, its entry in the inventory and its address.
fn on_host(
    kind: ProxyKind,
    scheme: Scheme,
    folder: &Path,
    port: u16,
    own: u16,
) -> (Running, String, SocketAddr) {
    let (_, extension) = words(kind);
    let at = folder.display().to_string();
    fs::write(folder.join("main"), main_file(kind, &at, own)).expect("a file");
    let child = command(kind, &at).spawn().expect("started");
    let reload = match kind {
        ProxyKind::Nginx => format!("[nginx, -c, {at}/main, -s, reload]"),
        ProxyKind::Haproxy => format!("[sh, -c, 'kill -USR2 {}']", child.id()),
    };
    let test = match kind {
        ProxyKind::Nginx => format!("[nginx, -t, -q, -c, {at}/main]"),
        ProxyKind::Haproxy => format!("[haproxy, -c, -f, {at}/main, -f, {at}/conf.d]"),
    };
    let listen = match scheme {
        Scheme::Plain => format!("'127.0.0.1:{port}'"),
        Scheme::Tls => certified(&at, port),
    };
    let entry = format!(
        "    config: {at}/conf.d/gitdeploy.{extension}\n    listen: [{listen}]\n    \
         test: {test}\n    reload: {reload}\n"
    );
    (Running::Process(child), entry, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// A container, its entry in the inventory and its address; the number makes its name its own.
fn in_container(kind: ProxyKind, number: u16) -> (Running, String, SocketAddr) {
    let (_, extension) = words(kind);
    let name = format!("gitdeploy-test-proxy-{}-{number}", std::process::id());
    docker(&["run", "-d", "--name", &name, &image(kind)]);
    let format = "{{.NetworkSettings.IPAddress}}";
    let ip: IpAddr = docker(&["inspect", "-f", format, &name]).parse().expect("an IP");
    let test = match kind {
        ProxyKind::Nginx => "[nginx, -t, -c, /etc/proxy/main]",
        ProxyKind::Haproxy => "[haproxy, -c, -f, /etc/proxy/main, -f, /etc/proxy/conf.d]",
    };
    let reload = match kind {
        ProxyKind::Nginx => "[nginx, -c, /etc/proxy/main, -s, reload]",
        ProxyKind::Haproxy => "[kill, -USR2, '1']",
    };
    let entry = format!(
        "    runs: 'container:{name}'\n    listen: [80]\n    \
         config: /etc/proxy/conf.d/gitdeploy.{extension}\n    \
         test: {test}\n    reload: {reload}\n"
    );
    (Running::Container(name), entry, SocketAddr::new(ip, 80))
}

fn words(kind: ProxyKind) -> (&'static str, &'static str) {
    match kind {
        ProxyKind::Nginx => ("nginx", "conf"),
        ProxyKind::Haproxy => ("haproxy", "cfg"),
    }
}

/// The owner's own configuration: a page on a port, and the folder that ours is in.
fn main_file(kind: ProxyKind, at: &str, own: u16) -> String {
    match kind {
        ProxyKind::Nginx => format!(
            "user root; daemon off; pid {at}/pid; error_log {at}/log; worker_processes 2;\n\
             events {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path {at}/a;\n  \
             proxy_temp_path {at}/b; fastcgi_temp_path {at}/c; uwsgi_temp_path {at}/d;\n  \
             scgi_temp_path {at}/e;\n  include conf.d/*.conf;\n  \
             server {{ listen {own}; return 200 own; }}\n}}\n"
        ),
        ProxyKind::Haproxy => format!(
            "global\n  stats socket {at}/admin.sock mode 600 level admin\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  \
             timeout server 30s\nfrontend own\n  bind :{own}\n  \
             http-request return status 200 content-type text/plain string own\n"
        ),
    }
}

fn command(kind: ProxyKind, at: &str) -> Command {
    let (program, _) = words(kind);
    let mut command = Command::new(program);
    match kind {
        ProxyKind::Nginx => command.args(["-c", &format!("{at}/main")]),
        ProxyKind::Haproxy => {
            command.args(["-W", "-f", &format!("{at}/main"), "-f", &format!("{at}/conf.d")])
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// An image of this machine's own program, its libraries and a shell.
fn image(kind: ProxyKind) -> String {
    let (program, _) = words(kind);
    let tag = format!("gitdeploy-test-bare-{program}:1");
    if Command::new("docker")
        .args(["image", "inspect", &tag])
        .output()
        .expect("ran")
        .status
        .success()
    {
        return tag;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path.trim_start_matches('/'));
    let copy = |path: &Path| {
        let to = at(path.to_str().expect("text"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(path, to).expect("copied");
    };
    let binary =
        PathBuf::from(output(Command::new("sh").args(["-c", &format!("command -v {program}")])));
    let libraries = output(Command::new("ldd").arg(&binary));
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for path in paths.map(Path::new).chain([binary.as_path(), Path::new("/bin/busybox")]) {
        copy(&path.canonicalize().expect("a path"));
        copy(path);
    }
    for tool in ["sh", "mv", "rm", "ls", "cat", "kill", "test"] {
        std::os::unix::fs::symlink("/bin/busybox", at("/bin").join(tool)).expect("a link");
    }
    for path in ["/etc/proxy/conf.d", "/tmp", "/run", "/var/log/nginx", "/var/lib/nginx"] {
        fs::create_dir_all(at(path)).expect("a folder");
    }
    fs::write(at("/etc/passwd"), "root:x:0:0::/:/bin/sh\nhaproxy:x:9:9::/:/bin/sh\n")
        .expect("a file");
    fs::write(at("/etc/group"), "root:x:0:\nhaproxy:x:9:\n").expect("a file");
    fs::write(at("/etc/proxy/main"), main_file(kind, "/etc/proxy", 81)).expect("a file");
    let start = match kind {
        ProxyKind::Nginx => "CMD [\"nginx\", \"-c\", \"/etc/proxy/main\"]",
        ProxyKind::Haproxy => {
            "CMD [\"haproxy\", \"-W\", \"-f\", \"/etc/proxy/main\", \"-f\", \"/etc/proxy/conf.d\"]"
        }
    };
    let path = "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    let script = format!(
        "tar -C {} -c . | docker import --change '{path}' --change '{start}' - {tag}",
        folder.path().display()
    );
    output(Command::new("sh").args(["-c", &script]));
    tag
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    output(Command::new("docker").args(arguments))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within 20 s");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn settings(text: &str) -> gitdeploy::settings::Proxy {
    let files = Memory::new().with("inventory.yaml", text);
    let mut problems = Vec::new();
    let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
    let messages: Vec<_> = problems.iter().map(|problem| &problem.message).collect();
    inventory.proxies.into_values().next().unwrap_or_else(|| panic!("{messages:?}"))
}

fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

pub(crate) fn owner() -> Owner {
    Owner { project: name("acme"), environment: name("production") }
}

pub(crate) fn key() -> BackendKey {
    "shop.web.8080".parse().expect("a key")
}

/// A table that sends everything for [`HOST`] to these replicas.
pub(crate) fn table(generation: u64, at: IpAddr, replicas: &[&Replica]) -> RoutingTable {
    let server =
        |replica: &&Replica| (replica.name.clone(), Endpoint { address: at, port: replica.port });
    let backend = Backend {
        rules: [Rule { host: HOST.into(), path: "/".into() }].into(),
        servers: replicas.iter().map(server).collect(),
        check: Some("/health".into()),
    };
    RoutingTable { generation, backends: [(key(), backend)].into(), ..RoutingTable::default() }
}

/// A replica: a thread that answers every request with its name.
pub(crate) struct Replica {
    pub(crate) name: String,
    /// Where a proxy is told that it is.
    pub(crate) port: u16,
    listens_at: SocketAddr,
    is_over: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Replica {
    pub(crate) fn start(name: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (is_over, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (over, count, text) = (Arc::clone(&is_over), Arc::clone(&served), name.to_owned());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (over, count, text) = (Arc::clone(&over), Arc::clone(&count), text.clone());
                thread::spawn(move || serve(&stream.expect("a connection"), &text, &over, &count));
            }
        });
        let listens_at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { name: name.into(), port, listens_at, is_over, served, thread: Some(thread) }
    }

    /// Requests that it has answered, health questions left out.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.listens_at));
        self.thread.take().expect("a thread").join().expect("no panic");
    }
}

/// Ends rudely: once it is over, connections are closed whatever comes on them.
fn serve(stream: &TcpStream, name: &str, is_over: &AtomicBool, served: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    while let Some(head) = head(&mut reader) {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        if !head.contains("/health") {
            served.fetch_add(1, Ordering::Relaxed);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Requests without end on kept and on fresh connections, none of them ever repeated.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(u64, Vec<String>)>>,
}

impl Load {
    pub(crate) fn start(to: SocketAddr) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let thread = |at: usize| {
            let over = Arc::clone(&is_over);
            thread::spawn(move || requests(to, at.is_multiple_of(2), &over))
        };
        Self { threads: (0..8).map(thread).collect(), is_over }
    }

    /// How many were answered, and what became of the others.
    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(|thread| thread.join().expect("no panic"));
        ended.fold((0, Vec::new()), |(all, mut lost), (count, more)| {
            lost.extend(more);
            (all + count, lost)
        })
    }
}

fn requests(to: SocketAddr, is_kept: bool, is_over: &AtomicBool) -> (u64, Vec<String>) {
    let (mut answered, mut lost) = (0, Vec::new());
    let mut open: Option<TcpStream> = None;
    while !is_over.load(Ordering::Relaxed) {
        let stream = open.take().map_or_else(|| TcpStream::connect(to), Ok);
        match stream.and_then(|stream| ask(stream, is_kept)) {
            Ok(kept) => {
                answered += 1;
                open = kept;
            }
            Err(error) => lost.push(error.to_string()),
        }
        thread::sleep(Duration::from_millis(10));
    }
    (answered, lost)
}

/// One request; the connection when the answer leaves it open.
fn ask(stream: TcpStream, is_kept: bool) -> std::io::Result<Option<TcpStream>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = if is_kept { "keep-alive" } else { "close" };
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: {connection}\r\n\r\n");
    (&stream).write_all(request.as_bytes())?;
    let mut reader = BufReader::new(&stream);
    let bad = |what: String| std::io::Error::other(what);
    let head = head(&mut reader).ok_or_else(|| bad("closed without an answer".into()))?;
    let lower = head.to_ascii_lowercase();
    if !head.starts_with("HTTP/1.1 200") {
        return Err(bad(head));
    }
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let closes = lower.contains("connection: close");
    Ok((is_kept && !closes).then_some(stream))
}
