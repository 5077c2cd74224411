//! A commit with a file of 1 GB, fetched over HTTP: its stack waits, the others go on, and the file is
//! never in the daemon's memory.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::super::rig::{Kind, Variant, alone};
use super::super::shop::Shop;
use super::Daemon;

const GIB: u64 = 1 << 30;

/// What the daemon may have had in memory at the same time: several times what it has without the
/// file, in a build without optimisation, and a quarter of the file.
const MEMORY_MAX: u64 = GIB / 4;

/// Git's own program behind HTTP, for the repositories of a folder.
struct Remote(SocketAddr);

impl Remote {
    fn serving(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                // A visitor that hangs up early is no business of the server.
                thread::spawn(move || answer(&stream, &folder).ok());
            }
        });
        Self(address)
    }
}

fn answer(mut stream: &TcpStream, folder: &Path) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (mut kind, mut length) = (String::new(), 0);
    while let Some((name, value)) = line()?.split_once(':') {
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.trim().clone_into(&mut kind),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut asked = Vec::new();
    reader.take(length).read_to_end(&mut asked)?;
    let mut git = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", method)
        .env("CONTENT_TYPE", kind)
        .env("CONTENT_LENGTH", length.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    git.stdin.take().expect("a pipe").write_all(&asked)?;
    let said = git.wait_with_output()?.stdout;
    // It begins with headers, as a CGI program does.
    let end = said.windows(4).position(|it| it == b"\r\n\r\n").expect("headers") + 4;
    let length = said.len() - end;
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n")?;
    stream.write_all(&said)
}

/// Commits a file of 1 GB that nobody has to write: it is all zeros.
fn commit_large(folder: &Path, path: &str) -> String {
    let file = File::create(folder.join(path)).expect("a file");
    file.set_len(GIB).expect("a length");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        let ended = command.args(arguments).output().expect("git runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    };
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "large"]);
    git(&["rev-parse", "HEAD"])
}

/// The most that a process has ever had in memory, in bytes.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kilobytes * 1024
}

#[test]
fn a_file_of_a_gigabyte_holds_its_own_stack_and_is_never_in_memory() {
    let _alone = alone();
    let mut shop = Shop::open("sync-large", Kind::Nginx);
    let two = shop.world.tag("two", Variant::V2);
    let path = shop.world.path();
    let remote = Remote::serving(path.parent().expect("a folder").to_owned());
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let url = format!("http://{}/{name}/.git", remote.0);
    let rules = format!("sources:\n  shop:\n    repository: {url}\n    interval: 1s\n");
    let daemon = Daemon::of(&shop.world, "sync", &rules);
    daemon.says(&format!("{} is new", &shop.commit[..7]));

    let large = format!(
        "services: {{web: {{image: {two}, configs: [large]}}}}\nconfigs: {{large: {{file: ./large}}}}\n"
    );
    shop.world.write("stacks/large/compose.yaml", large);
    shop.world.write(super::super::shop::FILE, shop.text(&two, ""));
    let commit = commit_large(&path, "stacks/large/large");
    daemon.says(&format!("for {} is done", &commit[..7]));
    daemon.says("`stacks/large/large` has 1073741824 bytes; at most 16777216 are read");

    fs::remove_dir_all(path.join("stacks/large")).expect("it is there");
    let commit = shop.release(&shop.image, "");
    daemon.says(&format!("for {} is done", &commit[..7]));
    shop.assert_settled(&commit);
    let peak = peak(daemon.running.id());
    println!("it has had {} MiB in memory at most", peak >> 20);
    assert!(peak < MEMORY_MAX, "{} MiB", peak >> 20);
    daemon.stop();
}
