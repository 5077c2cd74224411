//! An owner of its own for each test, a small image, and their end.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use gitdeploy::adapters::docker::Docker;
use gitdeploy::model::{
    ContentKey, HostName, Identity, Name, Owner, PlacedFile, Replica, StackName,
};
use serde_json::{Value, json};

pub(crate) const SOCKET: &str = "/var/run/docker.sock";

/// An image with busybox alone; made once.
const IMAGE: &str = "gitdeploy-test/docker:1";

pub(crate) struct World {
    pub(crate) docker: Docker,
    pub(crate) owner: Owner,
    pub(crate) stack: StackName,
}

impl World {
    /// Everything of `case` belongs to an owner of that name and process.
    pub(crate) fn new(case: &str) -> Self {
        let project = format!("docker-{case}-{}", std::process::id());
        let owner = Owner { project: name(&project).into(), environment: name("test").into() };
        Self { docker: Docker::unix(SOCKET).unwrap(), owner, stack: name("shop").into() }
    }

    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.owner.project)
    }

    /// A replica that runs `command` in a shell.
    pub(crate) fn replica(&self, what: &str, command: &str) -> Replica {
        let mut labels = self.owner.labels(&self.stack);
        let more = [
            ("service", "web"),
            ("slot", "1"),
            ("spec", "ab12"),
            ("generation", "7"),
            ("commit", "c0ffee"),
        ];
        labels.extend(more.map(|(key, value)| (format!("gitdeploy.{key}"), value.to_owned())));
        let identity = Identity::read(&labels).unwrap();
        Replica {
            name: self.name(what),
            host: HostName::from(name("here")),
            body: json!({
                "Image": image(),
                "Cmd": ["sh", "-c", command],
                "Labels": identity.labels(),
                "HostConfig": {"NetworkMode": "none"},
            }),
            identity,
            image: Some(run(&["image", "inspect", "-f", "{{.Id}}", image()])),
            digest: None,
            files: Vec::new(),
            endpoints: BTreeMap::new(),
        }
    }

    pub(crate) fn labels(&self) -> Value {
        json!(self.owner.labels(&self.stack))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let filter = format!("label=gitdeploy.project={}", self.owner.project);
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm"]),
        ] {
            let found = run(&[list.as_slice(), &["--filter", &filter]].concat());
            for id in found.lines() {
                run(&[remove.as_slice(), &[id]].concat());
            }
        }
    }
}

/// Something of another owner; removed with the value.
pub(crate) struct Foreign(pub(crate) &'static str, pub(crate) String);

impl Drop for Foreign {
    fn drop(&mut self) {
        match self.0 {
            "container" => run(&["rm", "-fv", &self.1]),
            kind => run(&[kind, "rm", &self.1]),
        };
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn file(target: &str, mode: u32) -> PlacedFile {
    let content = ContentKey::Digest("x".into());
    PlacedFile { target: target.into(), content, uid: 1000, gid: 1001, mode, is_secret: false }
}

/// What the client says; a failure ends the test.
pub(crate) fn run(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || std::thread::panicking(), "docker {words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn image() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let busybox = std::fs::read("/bin/busybox").expect("package busybox-static");
        let mut root = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(busybox.len() as u64);
        root.append_data(&mut header, "bin/busybox", busybox.as_slice()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        for applet in ["sh", "sleep", "cat", "stat", "echo", "wc", "ln", "mkdir", "kill", "true"] {
            root.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
        }
        let mut import = Command::new("docker")
            .args(["import", "-", IMAGE])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        import.stdin.take().unwrap().write_all(&root.into_inner().unwrap()).unwrap();
        assert!(import.wait().unwrap().success(), "docker import");
    });
    IMAGE
}
