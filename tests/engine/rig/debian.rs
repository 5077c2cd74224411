//! A small Debian as an image, made of the packages of this machine: nothing is fetched.
//!
//! It has what every Debian has and the packages that are asked for, with all that they need and
//! nothing else, and its package manager knows so: asked to install these, it finds nothing to do,
//! and asked for others, nothing it could take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use super::images::{Recipe, once};

const IMAGE: &str = "gitdeploy-test/debian:1";

/// Where the package manager notes what is installed.
const STATUS: &str = "/var/lib/dpkg/status";

/// What images leave away, and what only scripts of packages that are installed anew would run.
const LEFT_AWAY: [&str; 6] =
    ["/share/doc/", "/share/info/", "/share/locale/", "/share/man/", "/share/perl/", "-gnu/perl/"];

/// Packages that are installed, by name, and for each what it is called otherwise.
struct Packages<'a> {
    installed: BTreeMap<&'a str, &'a str>,
    provided: BTreeMap<&'a str, &'a str>,
}

/// The name of an image of Debian that has these packages.
pub(crate) fn debian(packages: &[&str]) -> &'static str {
    static DONE: Mutex<bool> = Mutex::new(false);
    once(&DONE, || recipe(packages).import());
    IMAGE
}

fn recipe(asked: &[&str]) -> Recipe {
    let status = fs::read_to_string(STATUS).unwrap_or_else(|error| {
        panic!("{STATUS}: {error}: this test makes a Debian out of the packages of one")
    });
    let packages = Packages::read(&status);
    let mut recipe = Recipe::new(IMAGE);
    // Where everything is below `usr`, no package has these.
    for name in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(to) = fs::read_link(format!("/{name}")) {
            recipe.link(&format!("/{name}"), &to.display().to_string());
        }
    }
    let mut noted = String::new();
    for name in packages.with_all_needed(asked) {
        let paragraph = packages.installed[name];
        noted.extend([paragraph, "\n\n"]);
        let architecture = field(paragraph, "Architecture").unwrap_or_default();
        let lists = [format!("{name}.list"), format!("{name}:{architecture}.list")];
        let lists = lists.iter().map(|list| Path::new("/var/lib/dpkg/info").join(list));
        let list = lists.filter_map(|list| fs::read_to_string(list).ok()).next();
        list.unwrap_or_default().lines().for_each(|path| copy(&mut recipe, path));
    }
    recipe.file(STATUS, noted.as_bytes(), 0o644);
    // What a package's own script makes of these, when it is installed.
    for name in ["passwd", "group"] {
        let master = fs::read(format!("/usr/share/base-passwd/{name}.master"));
        recipe.file(&format!("/etc/{name}"), &master.expect("accounts"), 0o644);
    }
    recipe.set("CMD [\"bash\"]");
    recipe
}

/// A file of a package as it is here; what somebody has removed is not there.
fn copy(recipe: &mut Recipe, path: &str) {
    // The tar has each file below the folder that a link to it names.
    let is_linked = |name: &str| fs::read_link(format!("/{name}")).is_ok();
    let top = path.split('/').nth(1).unwrap_or_default();
    let to = match top {
        "bin" | "sbin" | "lib" | "lib64" if is_linked(top) => format!("/usr{path}"),
        _ => path.to_owned(),
    };
    let is_that_link = to != path && path[1..] == *top;
    if path == "/." || is_that_link || LEFT_AWAY.iter().any(|it| to.contains(it)) {
        return;
    }
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let (kind, mode) = (meta.file_type(), meta.permissions().mode() & 0o7777);
    if kind.is_symlink() {
        let target = fs::read_link(path).expect("a link");
        recipe.link(&to, &target.display().to_string());
    } else if kind.is_dir() {
        recipe.folder(&to, mode);
    } else {
        recipe.file(&to, &fs::read(path).expect("a file of a package"), mode);
    }
}

impl<'a> Packages<'a> {
    fn read(status: &'a str) -> Self {
        let mut packages = Self { installed: BTreeMap::new(), provided: BTreeMap::new() };
        for paragraph in status.split("\n\n") {
            let Some(name) = field(paragraph, "Package") else { continue };
            if field(paragraph, "Status") != Some("install ok installed") {
                continue;
            }
            packages.installed.insert(name, paragraph.trim_end());
            for other in alternatives(field(paragraph, "Provides").unwrap_or_default()).flatten() {
                packages.provided.insert(other, name);
            }
        }
        packages
    }

    /// What every Debian has, what is asked for, and what these need.
    fn with_all_needed(&self, asked: &[&'a str]) -> BTreeSet<&'a str> {
        let essential = |paragraph: &&str| field(paragraph, "Essential") == Some("yes");
        let essential =
            self.installed.iter().filter(|(_, it)| essential(it)).map(|(name, _)| *name);
        let usual = ["apt", "passwd"];
        for name in asked.iter().chain(&usual) {
            assert!(self.find(name).is_some(), "`{name}` is not installed: run .ci/setup");
        }
        let mut left: Vec<&str> = essential.chain(usual).chain(asked.iter().copied()).collect();
        let mut needed = BTreeSet::new();
        while let Some(name) = left.pop().and_then(|name| self.find(name)) {
            if !needed.insert(name) {
                continue;
            }
            for kind in ["Depends", "Pre-Depends"] {
                let all = alternatives(field(self.installed[name], kind).unwrap_or_default());
                // It is installed, so one of each is here.
                left.extend(all.filter_map(|mut any| any.find(|it| self.find(it).is_some())));
            }
        }
        needed
    }

    /// The package of this name, or one that stands for it.
    fn find(&self, name: &str) -> Option<&'a str> {
        let own = self.installed.get_key_value(name).map(|(name, _)| *name);
        own.or_else(|| self.provided.get(name).copied())
    }
}

/// A field that has one line.
fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = paragraph.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The names of `a (>= 1) | b, c:any`, without what is said of them.
fn alternatives(text: &str) -> impl Iterator<Item = impl Iterator<Item = &str>> {
    let name = |text: &'_ str| -> usize { text.find([' ', ':', '(']).unwrap_or(text.len()) };
    text.split(',').map(move |any| {
        let names = any.split('|').map(str::trim).filter(|it| !it.is_empty());
        names.map(move |text| &text[..name(text)])
    })
}
