//! Images made of what is on this machine: nothing is pulled.
//!
//! An image is a tar of files and a few settings, imported when the engine does not have the same
//! one already. Programs of the machine come with the libraries they are linked to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::process::{finish, try_docker};

const CONTENT: &str = "gitdeploy-test.content";

/// A kind of the application: one program, told apart by its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    V1,
    V2,
    /// Starts, serves, and is never healthy.
    Bad,
    /// Exits with 3 soon after its start.
    Crash,
}

/// What an image is made of.
pub(super) struct Recipe {
    name: String,
    files: tar::Builder<Vec<u8>>,
    present: BTreeSet<PathBuf>,
    /// Instructions as in a Dockerfile.
    settings: Vec<String>,
}

impl Recipe {
    pub(super) fn new(name: &str) -> Self {
        let files = tar::Builder::new(Vec::new());
        Self { name: name.to_owned(), files, present: BTreeSet::new(), settings: Vec::new() }
    }

    pub(super) fn set(&mut self, instruction: &str) {
        self.settings.push(instruction.to_owned());
    }

    /// The same files make the same bytes, whenever and wherever. What is there stays as it is.
    pub(super) fn file(&mut self, path: &str, content: &[u8], mode: u32) {
        if !self.present.insert(path.into()) {
            return;
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        let relative = path.trim_start_matches('/');
        self.files.append_data(&mut header, relative, content).expect("a file in a tar");
    }

    pub(super) fn folder(&mut self, path: &str, mode: u32) {
        if !self.present.insert(path.into()) {
            return;
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(mode);
        let relative = path.trim_start_matches('/');
        self.files.append_data(&mut header, relative, &[][..]).expect("a folder in a tar");
    }

    pub(super) fn link(&mut self, path: &str, to: &str) {
        if !self.present.insert(path.into()) {
            return;
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        let relative = path.trim_start_matches('/');
        self.files.append_link(&mut header, relative, to).expect("a link in a tar");
    }

    /// A program of this machine, at `path` in the image, with its libraries.
    pub(super) fn program(&mut self, name: &str, path: &str) {
        let source = find(name);
        self.file(path, &fs::read(&source).expect("a program"), 0o755);
        let mut ldd = Command::new("ldd");
        // A static program has none, and `ldd` says so with an exit code.
        let listed = finish(ldd.arg(&source), Vec::new(), Duration::from_secs(60)).stdout;
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            self.file(library, &fs::read(library).expect("a library"), 0o755);
        }
    }

    /// A shell and what proxies are handled with.
    pub(super) fn shell(&mut self) {
        self.program("busybox", "/bin/busybox");
        for name in ["sh", "cat", "cp", "kill", "ls", "mkdir", "mv", "rm", "sleep", "touch", "wget"]
        {
            self.link(&format!("/bin/{name}"), "busybox");
        }
        self.folder("/tmp", 0o1777);
        self.folder("/run", 0o755);
        self.file(
            "/etc/passwd",
            b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
            0o644,
        );
        self.file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644);
    }

    /// One more command of the shell's program.
    pub(super) fn command_of_busybox(&mut self, name: &str) {
        self.link(&format!("/bin/{name}"), "busybox");
    }

    /// More of what `busybox` can do, for hosts that people would log in to.
    pub(super) fn tools(&mut self) {
        for name in [
            "basename",
            "chmod",
            "chown",
            "date",
            "dd",
            "df",
            "dirname",
            "echo",
            "env",
            "false",
            "find",
            "grep",
            "head",
            "hostname",
            "id",
            "ip",
            "ln",
            "mktemp",
            "mount",
            "nc",
            "pidof",
            "pkill",
            "printf",
            "ps",
            "readlink",
            "sed",
            "setsid",
            "sha256sum",
            "stat",
            "sync",
            "tail",
            "test",
            "tr",
            "true",
            "umount",
        ] {
            self.link(&format!("/bin/{name}"), "busybox");
        }
    }

    /// Makes the engine have it, under its name.
    pub(super) fn import(mut self) {
        let bytes = self.files.into_inner().expect("a tar");
        let mut hash = Sha256::new();
        hash.update(&bytes);
        hash.update(self.settings.join("\n"));
        let content = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let format = format!("{{{{index .Config.Labels \"{CONTENT}\"}}}}");
        let present = try_docker(&["image", "inspect", "-f", &format, &self.name], Vec::new());
        if present.is_ok_and(|label| label.trim_end() == content) {
            return;
        }
        self.settings.push(format!("LABEL {CONTENT}={content}"));
        let mut arguments = vec!["import"];
        for setting in &self.settings {
            arguments.extend(["--change", setting]);
        }
        arguments.extend(["-", &self.name]);
        try_docker(&arguments, bytes).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

/// Runs `make` once in this process, and never beside another process that does.
pub(super) fn once(done: &Mutex<bool>, make: impl FnOnce()) {
    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*done {
        let lock = File::create(std::env::temp_dir().join("gitdeploy-test-images"));
        // Without it two processes may do the same work, which only takes longer.
        let _held = lock.ok().filter(|file| file.lock().is_ok());
        make();
        *done = true;
    }
}

/// The name of the image of a variant, which the engine has from now on.
pub(crate) fn app_image(variant: Variant) -> String {
    static DONE: Mutex<bool> = Mutex::new(false);
    once(&DONE, || {
        let program = fs::read(app_program()).expect("the application");
        let all = [Variant::V1, Variant::V2, Variant::Bad, Variant::Crash];
        all.into_iter().for_each(|variant| app_recipe(variant, &program).import());
    });
    variant.image()
}

fn app_recipe(variant: Variant, program: &[u8]) -> Recipe {
    let mut recipe = Recipe::new(&variant.image());
    recipe.file("/app", program, 0o755);
    recipe.shell();
    recipe.set("ENV PATH=/bin");
    recipe.set(&format!("ENV VERSION={}", variant.tag()));
    match variant {
        Variant::V1 | Variant::V2 => {}
        Variant::Bad => recipe.set("ENV FAIL_HEALTH=1"),
        Variant::Crash => recipe.set("ENV CRASH_AFTER_MS=500"),
    }
    recipe.set("CMD [\"/app\"]");
    recipe
}

impl Variant {
    fn tag(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Bad => "bad",
            Self::Crash => "crash",
        }
    }

    fn image(self) -> String {
        format!("gitdeploy-test/app:{}", self.tag())
    }
}

/// The application, built for this machine and for any Linux.
pub(super) fn app_program() -> PathBuf {
    static DONE: Mutex<bool> = Mutex::new(false);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("app");
    let mut done = DONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*done {
        // Each process builds its own and puts it in place whole: another one may be building or
        // running it.
        let workshop = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let fresh = workshop.path().join("app");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut build = Command::new(rustc);
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["--edition=2024", "-Copt-level=2", "-Cstrip=symbols"])
            .args(["-Ctarget-feature=+crt-static", "fixtures/app/main.rs", "-o"])
            .arg(&fresh);
        let ended = finish(&mut build, Vec::new(), Duration::from_secs(120));
        assert_eq!(ended.code, 0, "the application does not build:\n{}", ended.stderr);
        fs::rename(&fresh, &program).expect("the application in its place");
        *done = true;
    }
    program
}

/// Where a program of this machine is; those of the administrator are often not in `PATH`.
pub(super) fn find(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/sbin", "/bin"]);
    let found = folders.map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: run .ci/setup"))
}
