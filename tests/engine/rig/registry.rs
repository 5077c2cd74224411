//! A real registry with one user, and images pushed to it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::images::{Variant, app_image, find};
use super::process::{Background, docker, try_docker};

pub(crate) const USER: &str = "ci";
pub(crate) const PASSWORD: &str = "p?>~swordfish";
/// `PASSWORD`, as the registry keeps it.
const HASH: &str = "$2b$04$v.4xj/poF8cWSeuRb41xUOizSQdRrylF7WtudqMqyVJOhY4tiZ42e";

/// Runs until dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    folder: PathBuf,
    process: Option<Background>,
    pushed: std::cell::RefCell<Vec<String>>,
}

impl Registry {
    /// Starts it in a folder of `world`, and waits until it listens.
    pub(crate) fn start(world: &super::World) -> Self {
        let folder = world.path().with_file_name("registry");
        fs::create_dir_all(&folder).expect("a folder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, world.ports.next()));
        let mut registry = Self { address, folder, process: None, pushed: Vec::new().into() };
        registry.write("users", format!("{USER}:{HASH}\n"));
        registry.write(
            "config.yml",
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: \
                 {0}/data}}}}\nhttp: {{addr: '{address}'}}\nauth: {{htpasswd: {{realm: test, path: \
                 {0}/users}}}}\n",
                registry.folder.display()
            ),
        );
        registry.login(&registry.folder.join("docker"), PASSWORD);
        registry.begin();
        registry
    }

    /// Starts it again, with all it had.
    pub(crate) fn begin(&mut self) {
        let mut command = Command::new(find("docker-registry"));
        command.arg("serve").arg(self.folder.join("config.yml"));
        self.process = Some(Background::start(&mut command, &self.folder.join("log")));
        let since = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(since.elapsed() < Duration::from_secs(60), "the registry does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        self.process = None;
    }

    /// Pushes an image whose one layer no engine has.
    pub(crate) fn push_fresh(&self, image: &str) {
        let mut noise = u64::from(self.address.port()) << 32 | u64::from(std::process::id());
        let mut byte = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.to_be_bytes()[0]
        };
        let content: Vec<u8> = (0..200_000).map(|_| byte()).collect();
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, "noise", &content[..]).expect("a file in a tar");
        let name = self.name(image);
        let bytes = archive.into_inner().expect("a tar");
        try_docker(&["import", "-", &name], bytes).expect("an image");
        self.push_named(&name);
        self.forget(image);
    }

    /// Loses the layers of all images, and still knows their names.
    pub(crate) fn lose_layers(&self) {
        let blobs = self.folder.join("data/docker/registry/v2/blobs/sha256");
        for prefix in fs::read_dir(blobs).expect("a folder").flatten() {
            for blob in fs::read_dir(prefix.path()).expect("a folder").flatten() {
                let data = blob.path().join("data");
                let is_layer = fs::metadata(&data).is_ok_and(|it| it.len() > 100_000);
                if is_layer {
                    fs::remove_file(data).expect("a file");
                }
            }
        }
    }

    /// The name of an image in it.
    pub(crate) fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// As images name it.
    pub(crate) fn server(&self) -> String {
        self.address.to_string()
    }

    /// Pushes a variant under a name, which the engine then does not have; gives its digest.
    pub(crate) fn push(&self, image: &str, variant: Variant) -> String {
        let name = self.name(image);
        docker(&["tag", &app_image(variant), &name]);
        self.push_named(&name);
        let digests = docker(&["image", "inspect", "-f", "{{json .RepoDigests}}", &name]);
        let digests: Vec<String> = serde_json::from_str(&digests).expect("a list");
        let own = format!("{}@", self.name(image.split(':').next().expect("a name")));
        let digest = digests.iter().find_map(|digest| digest.strip_prefix(&own)).expect("pushed");
        let digest = digest.to_owned();
        self.forget(image);
        self.pushed.borrow_mut().push(name);
        digest
    }

    fn push_named(&self, name: &str) {
        let config = self.folder.join("docker").display().to_string();
        docker(&["--config", &config, "push", "-q", name]);
    }

    /// Takes an image's names away from the engine, so that it has to be pulled.
    pub(crate) fn forget(&self, image: &str) {
        let repository = self.name(image.split(':').next().expect("a name"));
        let format = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}";
        let listed = docker(&["images", "--digests", "--format", format, &repository]);
        for name in listed.split_whitespace().filter(|name| !name.contains("<none>")) {
            drop(try_docker(&["rmi", "-f", name], Vec::new()));
        }
    }

    /// Writes what `docker login` would, into a folder for Docker's configuration.
    pub(crate) fn login(&self, folder: &Path, password: &str) {
        use base64::Engine as _;
        let pair = format!("{USER}:{password}");
        let auth = base64::engine::general_purpose::STANDARD.encode(pair);
        let config = serde_json::json!({"auths": {self.server(): {"auth": auth}}});
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join("config.json"), config.to_string()).expect("a file");
    }

    fn write(&self, name: &str, text: String) {
        fs::write(self.folder.join(name), text).expect("a file");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for name in self.pushed.get_mut() {
            drop(try_docker(&["rmi", "-f", name], Vec::new()));
        }
    }
}
