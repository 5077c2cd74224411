//! Programs: run to their end with a deadline, or kept running until dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command of Docker may take.
const DOCKER_MAX: Duration = Duration::from_secs(120);

/// What a program came to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// Fails the test, with all that was printed, when the program failed.
    pub(crate) fn succeeded(&self) -> &Self {
        self.ended_with(0)
    }

    /// Fails the test, with all that was printed, when the program ended with another code.
    pub(crate) fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs a program to its end. One that takes longer than `limit` is killed, and the test with it.
pub(crate) fn finish(command: &mut Command, input: Vec<u8>, limit: Duration) -> Ended {
    let since = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that ends without reading its input closes the pipe, which is its right.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = collect(child.stdout.take().expect("a pipe"));
    let stderr = collect(child.stderr.take().expect("a pipe"));
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            break Some(status);
        }
        if since.elapsed() > limit {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let (stdout, stderr) = (stdout.join().expect("output"), stderr.join().expect("output"));
    let Some(status) = status else {
        panic!("{command:?} did not end within {limit:?}\n{stdout}\n{stderr}");
    };
    Ended { code: status.code().unwrap_or(-1), stdout, stderr, took: since.elapsed() }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("output");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Runs Docker's command on the local engine; gives its output.
pub(crate) fn try_docker(arguments: &[&str], input: Vec<u8>) -> Result<String, String> {
    let mut command = Command::new("docker");
    command.args(["--host", "unix:///var/run/docker.sock"]).args(arguments);
    let ended = finish(&mut command, input, DOCKER_MAX);
    match ended.code {
        0 => Ok(ended.stdout),
        _ => Err(format!("docker {}: {}", arguments.join(" "), ended.stderr.trim_end())),
    }
}

/// The same, for what must not fail; the output comes without the last line end.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let hint = "is there an engine? run the tests with `make test` or `.ci/with-engine`";
    let output = try_docker(arguments, Vec::new());
    output.unwrap_or_else(|problem| panic!("{problem}\n{hint}")).trim_end().to_owned()
}

/// A program that runs until this is dropped, with all processes it started.
pub(crate) struct Background {
    child: Child,
    /// A shell that kills the program's group when its input ends, which it does even if this
    /// process is killed.
    watch: Child,
}

impl Background {
    /// Starts it in a process group of its own; what it says goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let out = File::create(log).expect("a log file");
        let err = out.try_clone().expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut shell = Command::new("sh");
        let wait_and_kill = "read nothing; kill -s KILL -- \"-$0\"";
        shell.args(["-c", wait_and_kill, &child.id().to_string()]);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C on the tests must not reach it, or nobody would be left to kill the program.
        let watch = shell.process_group(0).spawn().expect("a shell");
        Self { child, watch }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name without `SIG`, to the program alone.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return Some(status.code().unwrap_or(-1));
            }
            if since.elapsed() > limit {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        drop(self.watch.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal, by its name without `SIG`, to a process. The shell has `kill` built in on any
/// machine.
pub(crate) fn signal(name: &str, to: u32) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -s \"$0\" -- \"$1\"", name, &to.to_string()]);
    finish(&mut shell, Vec::new(), Duration::from_secs(60));
}
