//! The bound project as JSON values, in the two forms the reference has.
//!
//! The JSON form leaves `x-` keys of inner mappings out and writes `null` for a command that is not
//! set; the YAML form has all `x-` keys in their places and nothing that says nothing. Only the
//! YAML form is meant to be read again.

use serde_json::{Map as Object, Number, Value as Json};

use crate::yaml::{Map, Node, Value};

use super::bind::EXTENSIONS;

/// How `docker compose config --format json` shows a project. Dollar signs are doubled.
pub(super) fn canonical(root: &Node) -> Json {
    Writer { text: &escape, keeps_extensions: false }.project(root)
}

/// The same with its strings as they are.
pub(super) fn unescaped(root: &Node) -> Json {
    Writer { text: &str::to_owned, keeps_extensions: false }.project(root)
}

/// How `docker compose config` shows a project. Dollar signs are doubled.
pub(super) fn readable(root: &Node) -> Json {
    let mut project = Writer { text: &escape, keeps_extensions: true }.project(root);
    tidy(&mut project);
    project
}

struct Writer<'a> {
    /// What becomes of a string.
    text: &'a dyn Fn(&str) -> String,
    keeps_extensions: bool,
}

impl Writer<'_> {
    fn project(&self, root: &Node) -> Json {
        let mut object = Object::new();
        let Some(map) = root.as_map() else { return Json::Object(object) };
        for (key, item) in map.iter() {
            match key {
                // Shown by the reference only in YAML.
                "models" if !self.keeps_extensions => {}
                EXTENSIONS => self.extensions(&item.node, &mut object),
                "configs" => {
                    object.insert(key.to_owned(), self.configs(&item.node));
                }
                _ => {
                    object.insert((self.text)(key), self.model(&item.node));
                }
            }
        }
        Json::Object(object)
    }

    fn extensions(&self, extensions: &Node, object: &mut Object<String, Json>) {
        for (key, item) in extensions.as_map().into_iter().flat_map(Map::iter) {
            object.insert((self.text)(key), plain(&item.node, self.text));
        }
    }

    /// The content of a config that comes from a variable is not shown.
    fn configs(&self, configs: &Node) -> Json {
        let mut json = self.model(configs);
        for config in json.as_object_mut().into_iter().flat_map(Object::values_mut) {
            if let Some(config) = config.as_object_mut()
                && config.contains_key("environment")
            {
                config.shift_remove("content");
            }
        }
        json
    }

    fn model(&self, node: &Node) -> Json {
        match &node.value {
            Value::Seq(items) => Json::Array(items.iter().map(|item| self.model(item)).collect()),
            Value::Map(map) => {
                let mut object = Object::new();
                for (key, item) in map.iter() {
                    if key != EXTENSIONS || !holds_extensions(&item.node) {
                        object.insert((self.text)(key), self.model(&item.node));
                    } else if self.keeps_extensions {
                        self.extensions(&item.node, &mut object);
                    }
                }
                Json::Object(object)
            }
            _ => plain(node, self.text),
        }
    }
}

/// Whether this is what was put aside, and not a text or record made of it.
fn holds_extensions(node: &Node) -> bool {
    node.as_map()
        .is_some_and(|map| !map.is_empty() && map.iter().all(|(key, _)| key.starts_with("x-")))
}

/// Takes out what says nothing, and gives keys the names they are read under.
fn tidy(project: &mut Json) {
    for service in values(project.get_mut("services")) {
        drop_if(service, "command", Json::is_null);
        drop_if(service, "entrypoint", Json::is_null);
        if let Some(Json::Object(deploy)) = service.get_mut("deploy") {
            drop_if(deploy, "resources", is_empty);
            drop_if(deploy, "placement", is_empty);
        }
        if let Some(Json::Object(blkio)) = service.get_mut("blkio_config") {
            for device in blkio.values_mut().filter_map(Json::as_array_mut).flatten() {
                lower_keys(device);
            }
        }
        for hooks in ["pre_start", "post_start", "pre_stop"] {
            let hooks = service.get_mut(hooks).and_then(Json::as_array_mut);
            for hook in hooks.into_iter().flatten().filter_map(Json::as_object_mut) {
                drop_if(hook, "command", Json::is_null);
            }
        }
        spell_out_limits(service.get_mut("ulimits"));
        spell_out_limits(service.get_mut("build").and_then(|build| build.get_mut("ulimits")));
        let watches = service.get_mut("develop").and_then(|develop| develop.get_mut("watch"));
        for watch in watches.and_then(Json::as_array_mut).into_iter().flatten() {
            if let Json::Object(watch) = watch {
                let says_nothing = |exec: &Json| exec.get("command").is_some_and(Json::is_null);
                drop_if(watch, "exec", says_nothing);
            }
        }
    }
    for network in values(project.get_mut("networks")) {
        drop_if(network, "ipam", is_empty);
    }
}

/// Without both of its numbers, a limit of zero could not be read again.
fn spell_out_limits(limits: Option<&mut Json>) {
    for limit in values(limits) {
        for key in ["soft", "hard"] {
            limit.entry(key).or_insert_with(|| Json::from(0));
        }
    }
}

fn values(map: Option<&mut Json>) -> impl Iterator<Item = &mut Object<String, Json>> {
    map.and_then(Json::as_object_mut)
        .into_iter()
        .flat_map(Object::values_mut)
        .filter_map(Json::as_object_mut)
}

fn drop_if(object: &mut Object<String, Json>, key: &str, is_idle: impl Fn(&Json) -> bool) {
    if object.get(key).is_some_and(is_idle) {
        object.shift_remove(key);
    }
}

fn is_empty(value: &Json) -> bool {
    value.as_object().is_some_and(Object::is_empty)
}

fn lower_keys(device: &mut Json) {
    if let Json::Object(device) = device {
        *device = device.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
    }
}

/// A merged document, with its keys sorted and its strings as they stand.
pub(super) fn raw(root: &Node) -> Json {
    plain(root, &str::to_owned)
}

fn plain(node: &Node, text: &dyn Fn(&str) -> String) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(float) => number(*float),
        Value::Str(value) => Json::String(text(value)),
        Value::Seq(items) => Json::Array(items.iter().map(|item| plain(item, text)).collect()),
        Value::Map(map) => {
            let mut pairs: Vec<(String, Json)> =
                map.iter().map(|(key, item)| (text(key), plain(&item.node, text))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(pairs.into_iter().collect())
        }
    }
}

/// Whole numbers have no fraction.
fn number(float: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if float.fract() == 0.0 && float.abs() < 1e15 {
        return Json::Number((float as i64).into());
    }
    Number::from_f64(float).map_or(Json::Null, Json::Number)
}

fn escape(text: &str) -> String {
    text.replace('$', "$$")
}
