//! A real database, made of this machine's MariaDB, and what orders from it.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::images::{Recipe, once};

const DATABASE: &str = "gitdeploy-test/database:host";
const ORDERS: &str = "gitdeploy-test/orders:host";
const SHARE: &str = "/usr/share/mysql";

/// The names of the images of a database and of its client, which the engine has from now on.
pub(crate) fn database_images() -> (&'static str, &'static str) {
    static DONE: Mutex<bool> = Mutex::new(false);
    once(&DONE, || {
        database().import();
        orders().import();
    });
    (DATABASE, ORDERS)
}

fn client(name: &str) -> Recipe {
    let mut recipe = Recipe::new(name);
    recipe.shell();
    recipe.program("mariadb", "/usr/bin/mariadb");
    recipe.set("ENV PATH=/bin:/usr/bin:/usr/sbin");
    recipe
}

fn database() -> Recipe {
    let mut recipe = client(DATABASE);
    recipe.program("mariadbd", "/usr/sbin/mariadbd");
    for name in ["mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data"] {
        let path = format!("{SHARE}/{name}.sql");
        recipe.file(&path, &read(&path), 0o644);
    }
    for path in ["english/errmsg.sys", "charsets/Index.xml"] {
        let path = format!("{SHARE}/{path}");
        recipe.file(&path, &read(&path), 0o644);
    }
    recipe.folder("/data", 0o755);
    recipe
}

fn orders() -> Recipe {
    let mut recipe = client(ORDERS);
    recipe.command_of_busybox("httpd");
    recipe.folder("/www/cgi-bin", 0o755);
    recipe
}

fn read(path: &str) -> Vec<u8> {
    fs::read(Path::new(path)).unwrap_or_else(|problem| panic!("{path}: {problem}: run .ci/setup"))
}
