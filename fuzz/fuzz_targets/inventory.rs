//! What is read of a repository beside Compose, and `~/.ssh/config`: total, with sound findings.

#![no_main]

use gitdeploy::diag::Sources;
use gitdeploy::files::Files;
use gitdeploy::settings::{
    Included, Inventory, LocalUser, Settings, SshConfig, Values, discover, ssh_target,
};
use gitdeploy_fuzz::{assert_sound, tree};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let files = tree(input, "inventory.yaml", "");
    let text = |path: &str| {
        let file = files.read(path).ok().flatten()?;
        String::from_utf8(file.content.to_vec()).ok()
    };
    let sources = Sources::default();
    let mut problems = Vec::new();

    let settings = Settings::load(&files, &sources, &mut problems);
    discover(&files, &settings, "shop", &mut problems);
    let mut inventories = vec![Inventory::load(&files, &sources, None, &mut problems)];
    for environment in settings.environments.values() {
        let named = environment.inventory.as_ref();
        inventories.push(Inventory::load(&files, &sources, named, &mut problems));
        let values = Values::load(&files, &sources, &environment.values, &mut problems);
        for (key, _) in values.as_map().iter() {
            values.whence(key);
        }
    }

    let include = |pattern: &str| {
        let name = pattern.trim_start_matches("~/").to_owned();
        text(&name).map(|text| Included { name, text }).into_iter().collect()
    };
    let config = text("ssh_config").unwrap_or_default();
    let config = SshConfig::parse("ssh_config", &config, &include, &sources, &mut problems);
    let local = LocalUser { name: "me".to_owned(), home: "/home/me".to_owned() };
    for inventory in &inventories {
        for host in inventory.hosts.values() {
            ssh_target(host, inventory, &config, &local, &mut problems);
        }
    }
    assert_sound(&problems, &sources);
});
