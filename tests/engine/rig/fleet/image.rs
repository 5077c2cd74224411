//! The image of a whole host, of the programs of this machine.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::super::images::{Recipe, once};
use super::super::proxies::{FOREIGN_PORT, haproxy, nginx};

const IMAGE: &str = "gitdeploy-test/host:1";

/// Its name; the engine has it from now on.
pub(super) fn host_image() -> &'static str {
    static DONE: Mutex<bool> = Mutex::new(false);
    once(&DONE, || recipe().import());
    IMAGE
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::new(IMAGE);
    for name in ["dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc"] {
        recipe.program(name, &format!("/usr/bin/{name}"));
    }
    for name in ["docker-proxy", "docker-init", "ssh-keygen", "nginx", "haproxy"] {
        recipe.program(name, &format!("/usr/bin/{name}"));
    }
    // It starts itself again for each connection, by its own path.
    recipe.program("sshd", "/usr/sbin/sshd");
    // One program under several names, with its modules in a folder of their own.
    for name in ["iptables", "ip6tables"] {
        recipe.program(name, &format!("/usr/bin/{name}"));
    }
    modules(&mut recipe);
    // The first of two files of one name stays.
    recipe.file("/etc/passwd", PASSWD, 0o644);
    recipe.file("/etc/group", GROUP, 0o644);
    recipe.shell();
    recipe.tools();
    recipe.file("/init", INIT, 0o755);
    recipe.file("/usr/bin/systemctl", SYSTEMCTL, 0o755);
    recipe.file("/etc/ssh/sshd_config", SSHD, 0o644);
    let folders = ["/etc/nginx/conf.d", "/etc/haproxy/conf.d", "/var/log/nginx", "/var/lib/nginx"];
    for folder in [&folders[..], &["/var/lib/docker", "/proc", "/sys", "/root"]].concat() {
        recipe.folder(folder, 0o755);
    }
    let main = nginx("/tmp", FOREIGN_PORT, "/etc/nginx/conf.d")
        .replace("/tmp/nginx.pid", "/run/nginx.pid");
    recipe.file("/etc/nginx/nginx.conf", main.as_bytes(), 0o644);
    let main = haproxy("/run/haproxy/admin.sock", FOREIGN_PORT);
    recipe.file("/etc/haproxy/haproxy.cfg", main.as_bytes(), 0o644);
    recipe.set("ENV PATH=/usr/bin:/bin:/usr/sbin");
    recipe.set("CMD [\"/init\"]");
    recipe
}

/// The modules of `iptables`, from where the distribution keeps them.
fn modules(recipe: &mut Recipe) {
    let folders = ["/usr/lib/x86_64-linux-gnu/xtables", "/usr/lib/aarch64-linux-gnu/xtables"];
    for folder in folders.into_iter().filter(|folder| Path::new(folder).is_dir()) {
        let mut files: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().collect();
        files.sort_by_key(fs::DirEntry::path);
        for file in files {
            let path = file.path().display().to_string();
            recipe.file(&path, &fs::read(&path).expect("a module"), 0o644);
        }
    }
}

const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\n\
deploy:x:1000:1000::/home/deploy:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
const GROUP: &[u8] = b"root:x:0:\ndocker:x:998:deploy\ndeploy:x:1000:\nnogroup:x:65534:\n";
const SSHD: &[u8] = b"UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n\
AuthorizedKeysFile /etc/ssh/authorized_keys\n";

/// The first process: makes what an engine needs writable, starts everything, and waits.
const INIT: &[u8] = b"#!/bin/sh
for mount in /sys/fs/cgroup /sys/fs/cgroup/* /proc/sys; do
  mount -o remount,bind,rw \"$mount\" 2>/dev/null
done
mkdir -p /run/sshd /run/haproxy /var/log
echo \"$KEY\" >/etc/ssh/authorized_keys
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
# What a power cut left behind.
rm -rf /run/*.pid /var/run/docker.pid /run/docker /var/run/docker
if [ -n \"$DISK\" ]; then mount -t tmpfs -o \"size=$DISK\" tmpfs /var/lib/docker; fi
systemctl start ssh
systemctl start docker
for proxy in nginx haproxy; do
  if [ -e \"/etc/$proxy/enabled\" ]; then systemctl start \"$proxy\"; fi
done
# Children that lost their parents are this process's to end.
while :; do sleep 1; done
";

/// Just enough of the program that manages services.
const SYSTEMCTL: &[u8] = b"#!/bin/sh
case \"$2\" in
  ssh) pid=/run/sshd.pid ;;
  docker) pid=/var/run/docker.pid ;;
  nginx) pid=/run/nginx.pid ;;
  haproxy) pid=/run/haproxy.pid ;;
  *) echo \"no service $2\" >&2; exit 5 ;;
esac
start() {
  case \"$1\" in
    ssh) /usr/sbin/sshd ;;
    docker) setsid dockerd --storage-driver overlay2 >>/var/log/dockerd 2>&1 </dev/null & ;;
    nginx) setsid nginx >/dev/null 2>&1 </dev/null ;;
    haproxy) setsid haproxy -W -D -p /run/haproxy.pid -f /etc/haproxy/haproxy.cfg \\
      -f /etc/haproxy/conf.d >/dev/null 2>&1 </dev/null ;;
  esac
}
stop() {
  [ -s \"$pid\" ] || return 0
  running=$(cat \"$pid\")
  kill \"$running\"
  while [ -d \"/proc/$running\" ]; do sleep 0.1; done
  if [ \"$1\" = ssh ]; then pkill sshd; fi
}
case \"$1\" in
  start) start \"$2\" ;;
  stop) stop \"$2\" ;;
  restart) stop \"$2\"; start \"$2\" ;;
  reload)
    case \"$2\" in
      nginx) nginx -s reload ;;
      haproxy) kill -USR2 \"$(cat \"$pid\")\" ;;
      *) exit 1 ;;
    esac ;;
esac
";
