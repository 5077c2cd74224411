//! Git over HTTP on a free port of this machine: a bridge to Git's own CGI program, and a TLS
//! server with a certificate of its own making.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::ssh_server::{output, tool};
use crate::environment::{COMPOSE, Repo, Run, run_in};

/// A server that answers until the tests end.
pub(super) struct HttpServer {
    home: TempDir,
    port: u16,
    _repo: Repo,
}

/// What every request meets.
#[derive(Clone)]
struct Rules {
    folder: PathBuf,
    login: Option<String>,
    redirect: Option<String>,
}

impl HttpServer {
    /// A server that wants this `user:password`.
    pub(super) fn start(login: Option<&str>) -> Self {
        Self::with(login, None)
    }

    /// A server that sends everybody to another one.
    pub(super) fn redirecting(target: &str) -> Self {
        Self::with(None, Some(target))
    }

    fn with(login: Option<&str>, redirect: Option<&str>) -> Self {
        let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
        let rules = Rules {
            folder: repo.path().parent().expect("a folder").to_owned(),
            login: login.map(|login| format!("Basic {}", STANDARD.encode(login))),
            redirect: redirect.map(str::to_owned),
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let rules = rules.clone();
                // A visitor that hangs up early is no business of the server.
                thread::spawn(move || rules.answer(&stream).ok());
            }
        });
        Self { home: tempfile::tempdir().expect("a temporary folder"), port, _repo: repo }
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn fetch(&self, variables: &[(&str, &str)]) -> Run {
        self.fetch_path("/acme/.git", variables)
    }

    pub(super) fn fetch_path(&self, path: &str, variables: &[(&str, &str)]) -> Run {
        run_in(self.home(), &["render", "--repo", &self.url(path)], variables, "")
    }
}

/// A request's first line, the headers that matter, and its body.
#[derive(Default)]
struct Asked {
    method: String,
    target: String,
    kind: String,
    login: Option<String>,
    body: Vec<u8>,
}

impl Asked {
    fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut asked = Self::default();
        let first = line(&mut reader)?;
        let mut words = first.split(' ').map(str::to_owned);
        asked.method = words.next().unwrap_or_default();
        asked.target = words.next().unwrap_or_default();
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let header = line(&mut reader)?;
            let Some((name, value)) = header.split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "transfer-encoding" => is_chunked = value == "chunked",
                "content-type" => asked.kind = value.to_owned(),
                "authorization" => asked.login = Some(value.to_owned()),
                _ => {}
            }
        }
        if is_chunked {
            asked.body = chunks(&mut reader)?;
        } else {
            reader.take(length).read_to_end(&mut asked.body)?;
        }
        Ok(asked)
    }
}

fn line(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn chunks(reader: &mut BufReader<&TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = u64::from_str_radix(&line(reader)?, 16).unwrap_or(0);
        reader.by_ref().take(size).read_to_end(&mut body)?;
        line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

impl Rules {
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let asked = Asked::read(stream)?;
        let (status, headers, body) = if let Some(target) = &self.redirect {
            ("302 Found".to_owned(), format!("Location: {target}{}\r\n", asked.target), Vec::new())
        } else if self.login.is_some() && asked.login != self.login {
            let header = "WWW-Authenticate: Basic realm=\"git\"\r\n".to_owned();
            ("401 Unauthorized".to_owned(), header, Vec::new())
        } else {
            self.run_git(&asked)?
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n")?;
        stream.write_all(b"Connection: close\r\n\r\n")?;
        stream.write_all(&body)
    }

    /// Status, headers and body of what Git's CGI program says.
    fn run_git(&self, asked: &Asked) -> io::Result<(String, String, Vec<u8>)> {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let mut child = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &self.folder)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &asked.method)
            .env("CONTENT_TYPE", &asked.kind)
            .env("CONTENT_LENGTH", asked.body.len().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        child.stdin.take().expect("a pipe").write_all(&asked.body)?;
        let said = child.wait_with_output()?.stdout;
        let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(said.len());
        let (head, body) = said.split_at(end);
        let mut status = "200 OK".to_owned();
        let mut headers = String::new();
        for header in String::from_utf8_lossy(head).lines() {
            match header.strip_prefix("Status: ") {
                Some(text) => text.clone_into(&mut status),
                None => headers = format!("{headers}{header}\r\n"),
            }
        }
        Ok((status, headers, body.get(4..).unwrap_or_default().to_vec()))
    }
}

/// A TLS server that speaks HTTP and has no repositories.
pub(super) struct TlsServer {
    home: TempDir,
    port: u16,
    child: Child,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl TlsServer {
    pub(super) fn start() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (key, certificate) = (home.path().join("key.pem"), home.path().join("cert.pem"));
        output(
            tool("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
                .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = tool("openssl")
            .args(["s_server", "-quiet", "-WWW", "-accept", &format!("127.0.0.1:{port}"), "-cert"])
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs openssl: run `.ci/setup`");
        let server = Self { home, port, child };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("openssl s_server did not start");
    }

    /// The file with the certificate that the server shows.
    pub(super) fn certificate(&self) -> PathBuf {
        let file = self.home.path().join("cert.pem");
        assert!(fs::exists(&file).expect("a folder"));
        file
    }

    pub(super) fn fetch(&self, variables: &[(&str, &str)]) -> Run {
        let url = format!("https://localhost:{}/acme", self.port);
        run_in(self.home.path(), &["render", "--repo", &url], variables, "")
    }
}
