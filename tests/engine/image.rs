//! The recipe of the daemon's image (`templates/daemon/Dockerfile`): built line by line, and run as it
//! says.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::rig::{Ended, Variant, World, debian, docker, finish, get, try_docker};
use super::shop::until;

/// How long a build may take; the debug build of the program is a large file.
const BUILD_MAX: Duration = Duration::from_secs(120);

/// How long the daemon may take to say something.
const SAY_MAX: Duration = Duration::from_secs(300);

/// The packages that a recipe installs.
fn packages(recipe: &str) -> Vec<&str> {
    let (_, list) = recipe.split_once("--no-install-recommends ").expect("packages");
    list.lines().next().unwrap_or_default().trim_end_matches('\\').split_whitespace().collect()
}

/// Builds the image as the recipe's first lines say, on a base that is made here.
fn build(name: &str, folder: &Path) {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/daemon/Dockerfile");
    let text = std::fs::read_to_string(&recipe).expect("the recipe");
    let base = format!("BASE={}", debian(&packages(&text)));
    // With all that debuggers want, it is ten times as large.
    let mut strip = Command::new("strip");
    strip.args(["--strip-debug", "-o"]).arg(folder.join("gitdeploy"));
    finish(strip.arg(env!("CARGO_BIN_EXE_gitdeploy")), Vec::new(), BUILD_MAX).succeeded();
    let mut build = Command::new("docker");
    build.args(["--host", "unix:///var/run/docker.sock", "build", "--network", "none"]);
    build.args(["--build-arg", &base, "-t", name, "-f"]).arg(recipe).arg(folder);
    // The newer builder is a program of its own, which engines of tests lack.
    finish(build.env("DOCKER_BUILDKIT", "0"), Vec::new(), BUILD_MAX).succeeded();
}

/// An image, and what was made of it; all of it goes with this.
struct Image<'a> {
    world: &'a World,
    name: String,
    address: SocketAddr,
}

impl Image<'_> {
    /// Serves the repository of the world. Git reads no folder of somebody else's, so this one belongs
    /// to the daemon's user, as the image has it.
    fn serve(&self) {
        let served = self.world.folder().join("served");
        let from = self.world.path().display().to_string();
        git2::build::RepoBuilder::new().bare(true).clone(&from, &served).expect("a clone");
        let at = format!("{}:/srv/shop", served.display());
        let give = ["--entrypoint", "chown", &self.name, "-R", "gitdeploy", "/srv/shop"];
        docker(&[["run", "--rm", "--user", "0", "-v", &at].as_slice(), &give].concat());
    }

    /// Runs it as the recipe says, with a daemon's file that watches the repository of the world.
    fn start(&self) {
        let (world, name) = (self.world, &self.name);
        let at = |path: &Path, to: &str| format!("{}:{to}:ro", path.display());
        docker(&[
            "run",
            "-d",
            "--name",
            name,
            "--label",
            &format!("gitdeploy-test={}", world.project),
            "-p",
            &format!("{}:8080", self.address),
            "-v",
            &at(&world.folder().join("etc"), "/etc/gitdeploy"),
            "-v",
            &at(&world.folder().join("served"), "/srv/shop"),
            "-v",
            &format!("{name}-cache:/var/cache/gitdeploy"),
            "-v",
            &format!("{name}-state:/var/lib/gitdeploy"),
            "-v",
            "/var/run/docker.sock:/var/run/docker.sock",
            "--group-add",
            &group_of_the_socket(),
            name,
        ]);
        let health = || get(self.address, "daemon", "/healthz").is_ok_and(|answer| answer.0 == 200);
        until("it answers through its published port", || {
            let state = docker(&["inspect", "-f", "{{.State.Running}}", name]);
            assert_eq!(state, "true", "{}", self.said());
            health()
        });
    }

    fn ask(&self, words: &[&str]) -> Ended {
        let server = format!("http://{}", self.address);
        let token = self.world.folder().join("etc/token").display().to_string();
        self.world.run(&[words, &["--server", &server, "--token-file", &token]].concat())
    }

    /// Waits until it has said something.
    fn says(&self, words: &str) {
        let since = Instant::now();
        while !self.said().contains(words) {
            assert!(since.elapsed() < SAY_MAX, "no `{words}` in\n{}", self.said());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn said(&self) -> String {
        let mut logs = Command::new("docker");
        logs.args(["--host", "unix:///var/run/docker.sock", "logs", &self.name]);
        let ended = finish(&mut logs, Vec::new(), Duration::from_secs(60));
        ended.stdout + &ended.stderr
    }

    /// Ends it as an engine does, and gives its exit code.
    fn stop(&self) -> String {
        docker(&["stop", "--time", "60", &self.name]);
        let code = docker(&["inspect", "-f", "{{.State.ExitCode}}", &self.name]);
        docker(&["rm", &self.name]);
        code
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        let volumes = ["cache", "state"].map(|of| format!("{name}-{of}"));
        drop(try_docker(&["rm", "-fv", name], Vec::new()));
        drop(try_docker(&["volume", "rm", "-f", &volumes[0], &volumes[1]], Vec::new()));
        drop(try_docker(&["rmi", "-f", name], Vec::new()));
    }
}

fn group_of_the_socket() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let socket = std::fs::metadata("/var/run/docker.sock").expect("the engine's socket");
    socket.gid().to_string()
}

/// A world with one stack, and the daemon's folder of settings.
fn world() -> World {
    let mut world = World::new("image");
    let image = world.tag("one", Variant::V1);
    world.write("stacks/shop/compose.yaml", format!("services: {{web: {{image: {image}}}}}\n"));
    world.commit("one");
    let folder = world.folder().join("etc");
    std::fs::create_dir(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("token", "sixteen letters and more");
    write(
        "sync.yaml",
        "listen: 0.0.0.0:8080\ntoken: {file: /etc/gitdeploy/token}\nsources:\n  shop:\n    repository: \
         file:///srv/shop\n    interval: 1s\n",
    );
    world
}

#[test]
fn the_image_of_the_daemon_deploys_ends_when_asked_and_keeps_its_state() {
    let world = world();
    let name = format!("{}-daemon", world.project);
    let address = SocketAddr::from(([127, 0, 0, 1], world.ports.next()));
    let image = Image { world: &world, name, address };
    let context = tempfile::tempdir().expect("a folder");
    build(&image.name, context.path());
    image.serve();

    image.start();
    assert_ne!(docker(&["exec", &image.name, "id", "-u"]), "0");
    image.says("is done");
    assert_eq!(world.running(Some("shop")).len(), 1);
    image.ask(&["pause", "shop", "--reason", "audit"]).succeeded();
    assert_eq!(image.stop(), "0");

    image.start();
    until("it knows what was paused", || image.ask(&["status"]).stdout.contains("audit"));
    assert_eq!(image.stop(), "0");
}
