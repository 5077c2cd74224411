//! Whole projects, loaded from memory: what no single stage can show alone.

mod problems;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Options, Project, ProjectName, Request, load};
use crate::diag::Sources;
use crate::files::Memory;

struct Case {
    files: Memory,
    compose_files: Vec<String>,
    dir: &'static str,
    variables: BTreeMap<String, String>,
    services: Vec<String>,
    options: Options,
}

fn case(text: &str) -> Case {
    Case {
        files: Memory::new().with("/p/compose.yaml", text),
        compose_files: vec!["/p/compose.yaml".to_owned()],
        dir: "/p",
        variables: BTreeMap::new(),
        services: Vec::new(),
        options: Options::default(),
    }
}

impl Case {
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path, text);
        self
    }

    /// Adds a file that is laid over the first.
    fn over(mut self, text: &str) -> Self {
        let path = format!("/p/over{}.yaml", self.compose_files.len());
        self.files.insert(&path, text);
        self.compose_files.push(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn run<T>(&self, then: impl FnOnce(Result<Project, Vec<String>>) -> T) -> T {
        let sources = Sources::default();
        let request = Request {
            files: &self.files,
            sources: &sources,
            compose_files: &self.compose_files,
            project_dir: self.dir,
            name: ProjectName::Fallback("case"),
            variables: &self.variables,
            home: Some("/home/me"),
            profiles: &[],
            services: &self.services,
            options: self.options,
        };
        then(load(&request).map_err(|problems| {
            problems
                .iter()
                .map(|problem| match &problem.primary {
                    Some(label) => format!("{}: {}", sources.locate(label.span), problem.message),
                    None => problem.message.clone(),
                })
                .collect()
        }))
    }

    fn json(&self) -> Json {
        self.run(|project| project.map(|project| project.to_json())).expect("valid")
    }

    fn service(&self, name: &str) -> Json {
        self.json()["services"][name].clone()
    }

    fn problems(&self) -> Vec<String> {
        self.run(|project| project.map(|_| ())).expect_err("invalid")
    }
}

#[test]
fn a_project_is_shown_in_canonical_form() {
    let project = case(
        "services:\n  web:\n    image: nginx:${TAG:-1}\n    ports: ['8080:80']\n    \
         mem_limit: 1g\n    stop_grace_period: 90s\n",
    );
    assert_eq!(
        project.json(),
        json!({
            "name": "case",
            "services": {"web": {
                "command": null,
                "entrypoint": null,
                "image": "nginx:1",
                "mem_limit": "1073741824",
                "networks": {"default": null},
                "ports": [{"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}],
                "stop_grace_period": "1m30s",
            }},
            "networks": {"default": {"name": "case_default", "ipam": {}}},
        })
    );
}

#[test]
fn later_files_win_and_lists_are_joined() {
    let web = case("services: {web: {image: a, environment: {A: 1, B: 2}, dns: [x]}}")
        .over("services: {web: {image: b, environment: [B=3], dns: [y, x]}}")
        .service("web");
    assert_eq!(web["image"], "b");
    assert_eq!(web["environment"], json!({"A": "1", "B": "3"}));
    assert_eq!(web["dns"], json!(["x", "y"]));
}

#[test]
fn merging_over_nothing_changes_nothing() {
    let text = "services: {web: {image: a, ports: ['80'], volumes: ['/x'], labels: {a: b}}}";
    assert_eq!(case(text).json(), case(text).over("services: {}").json());
    assert_eq!(case(text).json(), case(text).over(text).json());
}

#[test]
fn reset_drops_and_override_replaces_earlier_values() {
    let web = case("services: {web: {image: a, dns: [x], ports: ['80'], labels: {a: b, c: d}}}")
        .over("services: {web: {dns: !reset , ports: !override ['81'], labels: {a: !reset }}}")
        .service("web");
    assert_eq!(web["dns"], Json::Null);
    assert_eq!(web["ports"][0]["target"], 81);
    assert_eq!(web["ports"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_mount_at_the_same_path_is_replaced_in_its_place() {
    let web = case("services: {web: {image: a, volumes: ['/1:/a', '/2:/b']}}")
        .over("services: {web: {volumes: ['/3:/a:ro']}}")
        .service("web");
    assert_eq!(web["volumes"][0]["source"], "/3");
    assert_eq!(web["volumes"][1]["source"], "/2");
}

#[test]
fn values_of_different_kinds_are_not_merged() {
    let problems = case("services: {web: {image: a, x-y: {a: 1}}}")
        .over("services: {web: {x-y: [1]}}")
        .problems();
    assert_eq!(
        problems,
        ["/p/over1.yaml:1:23: `services.web.x-y` is a list here and a mapping before; the two \
          cannot be merged"]
    );
}

#[test]
fn a_service_extends_through_files_with_their_own_directories() {
    let web = case(
        "services: {web: {extends: {file: lib/a.yaml, service: a}, environment: [X=3]}}",
    )
    .file(
        "/p/lib/a.yaml",
        "services: {a: {extends: {file: deep/b.yaml, service: b}, environment: {X: 2, Y: 2}}}",
    )
    .file("/p/lib/deep/b.yaml", "services: {b: {image: b, build: ., volumes: ['./d:/d']}}")
    .service("web");
    assert_eq!(web["build"]["context"], "/p/lib/deep");
    assert_eq!(web["volumes"][0]["source"], "/p/lib/deep/d");
    assert_eq!(web["environment"], json!({"X": "3", "Y": "2"}));
}

#[test]
fn services_cannot_extend_each_other_in_a_circle() {
    let problems = case(
        "services: {a: {extends: b, image: x}, b: {extends: {file: compose.yaml, service: a}}}",
    )
    .problems();
    assert!(problems[0].contains("in a circle"), "{problems:?}");
}

#[test]
fn a_missing_base_is_named() {
    let problems = case("services: {web: {extends: bse}, base: {image: x}}").problems();
    assert_eq!(
        problems,
        ["/p/compose.yaml:1:27: `web` extends `bse`, which is no service of `/p/compose.yaml`"]
    );
}

#[test]
fn an_included_project_has_its_own_directory_and_variables() {
    let project = case("include: [lib/x.yaml]\nservices: {web: {image: 'w${V:-}'}}\n")
        .file("/p/lib/x.yaml", "services: {db: {image: 'd${V}', volumes: ['./d:/d']}}")
        .file("/p/lib/.env", "V=1\n");
    assert_eq!(project.service("db")["image"], "d1");
    assert_eq!(project.service("db")["volumes"][0]["source"], "/p/lib/d");
    assert_eq!(project.service("web")["image"], "w");
    assert_eq!(project.variable("V", "2").service("db")["image"], "d2");
}

#[test]
fn the_including_file_is_laid_over_what_it_includes() {
    let project =
        case("include: [x.yaml]\nservices: {db: {hostname: own, ports: !override ['1']}}\n")
            .file("/p/x.yaml", "services: {db: {image: d, hostname: theirs, ports: ['2']}}");
    let db = project.service("db");
    assert_eq!((&db["image"], &db["hostname"]), (&json!("d"), &json!("own")));
    assert_eq!(db["ports"].as_array().map(Vec::len), Some(1));
}

#[test]
fn files_cannot_include_themselves() {
    let project = case("include: [a.yaml]\n").file("/p/a.yaml", "include: [compose.yaml]\n");
    let problems = project.problems();
    assert!(problems[0].contains("includes itself"), "{problems:?}");
}

#[test]
fn files_elsewhere_are_not_fetched() {
    let problems = case("include: ['https://example.com/x.yaml']\nservices: {}\n").problems();
    assert!(problems[0].contains("lies elsewhere"), "{problems:?}");
}

#[test]
fn all_wrong_keys_are_reported_at_once() {
    let problems =
        case("services:\n  web:\n    iamge: x\n    ports: 80\n  db:\n    image: 5\n").problems();
    assert_eq!(
        problems,
        [
            "/p/compose.yaml:3:5: `iamge` is no key of service (`services.web`)",
            "/p/compose.yaml:4:12: `services.web.ports` must be a list, not a whole number",
            "/p/compose.yaml:6:12: `services.db.image` must be a string, not a whole number",
        ]
    );
}

#[test]
fn all_missing_references_are_reported_at_once() {
    let problems = case(
        "services:\n  web:\n    image: x\n    depends_on: [bd]\n    networks: [n]\n    volumes: ['vol:/v']\n",
    )
    .problems();
    assert_eq!(
        problems,
        [
            "/p/compose.yaml:5:16: `services.web` uses the network `n`, which is not defined",
            "/p/compose.yaml:4:18: `services.web.depends_on`: there is no service `bd`",
            "/p/compose.yaml:6:15: `services.web` uses the volume `vol`, which is not defined",
        ]
    );
}

#[test]
fn a_bad_variable_is_pointed_at_inside_its_string() {
    let problems = case("services: {web: {image: 'a${X:?no X}', hostname: \"${\"}}").problems();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].starts_with("/p/compose.yaml:1:27: "), "{problems:?}");
}

#[test]
fn circles_of_dependencies_are_found() {
    let problems = case(
        "services: {a: {image: x, depends_on: [b]}, b: {image: x, links: [c]}, \
         c: {image: x, network_mode: 'service:a'}}",
    )
    .problems();
    assert!(problems[0].contains("a → b → c → a"), "{problems:?}");
}

#[test]
fn paths_of_a_repository_start_at_its_root() {
    let mut project = case("");
    project.files = Memory::new()
        .with(
            "stacks/shop/compose.yaml",
            "include: [../lib/x.yaml]\nservices: {a: {image: x, env_file: a.env, volumes: ['./d:/d']}}",
        )
        .with("stacks/lib/x.yaml", "services: {b: {build: ./app}}")
        .with("stacks/shop/a.env", "K=v\n");
    project.compose_files = vec!["stacks/shop/compose.yaml".to_owned()];
    project.dir = "stacks/shop";
    let json = project.json();
    assert_eq!(json["services"]["a"]["volumes"][0]["source"], "./stacks/shop/d");
    assert_eq!(json["services"]["a"]["environment"], json!({"K": "v"}));
    assert_eq!(json["services"]["b"]["build"]["context"], "./stacks/lib/app");
    project.files.insert(
        "stacks/shop/compose.yaml",
        "services: {a: {image: x, volumes: ['../../../d:/d']}}",
    );
    assert_eq!(
        project.problems(),
        [
            "stacks/shop/compose.yaml:1:36: `services.a.volumes[0].source`: `../../../d` leads out of \
          the repository"
        ]
    );
}

#[test]
fn the_environment_wins_over_its_files() {
    let web =
        case("services: {web: {image: x, env_file: [a.env, b.env], environment: [A=own, P]}}")
            .file("/p/a.env", "A=1\nB=1\n")
            .file("/p/b.env", "B=2-${A}-${P}\n")
            .variable("P", "p")
            .service("web");
    assert_eq!(web["environment"], json!({"A": "own", "B": "2-own-p", "P": "p"}));
    assert_eq!(web["env_file"], Json::Null);
}

#[test]
fn a_selection_takes_its_dependencies_along() {
    let mut project = case(
        "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x, networks: [n]}, \
         d: {image: x, profiles: [p]}}\nnetworks: {n: }\n",
    );
    project.services = vec!["a".to_owned()];
    let names = |project: &Case| -> Vec<String> {
        project.json()["services"].as_object().expect("a mapping").keys().cloned().collect()
    };
    assert_eq!(names(&project), ["a", "b"]);
    assert_eq!(project.json()["networks"].get("n"), None);
    project.services = vec!["d".to_owned()];
    assert_eq!(names(&project), ["d"]);
    project.services = vec!["e".to_owned()];
    assert_eq!(project.problems(), ["no service is called `e`"]);
}

#[test]
fn every_value_of_the_model_knows_where_it_was_set() {
    let project =
        case("services: {web: {image: a, scale: 2}}").over("services:\n  web:\n    image: b\n");
    let sources = Sources::default();
    let request = Request {
        files: &project.files,
        sources: &sources,
        compose_files: &project.compose_files,
        project_dir: "/p",
        name: ProjectName::Fallback("case"),
        variables: &project.variables,
        home: None,
        profiles: &[],
        services: &[],
        options: Options::default(),
    };
    let root = load(&request).expect("valid").root;
    let web = root.get("services").and_then(|services| services.get("web")).expect("web");
    let at = |key| sources.locate(web.get(key).expect("set").span).to_string();
    assert_eq!(at("image"), "/p/over1.yaml:3:12");
    assert_eq!(at("scale"), "/p/compose.yaml:1:35");
}

#[test]
fn without_interpolation_the_merged_text_is_shown() {
    let mut project = case("services: {web: {image: 'x${V}', ports: ['${P}:80']}}");
    project.options.interpolate = false;
    let web = project.variable("V", "1").service("web");
    assert_eq!(web["image"], "x${V}");
    assert_eq!(web["ports"], json!(["${P}:80"]));
}

#[test]
fn dollar_signs_are_doubled_on_the_way_out() {
    assert_eq!(case("services: {web: {image: x, user: 'a$$b'}}").service("web")["user"], "a$$b");
}

#[test]
fn names_are_brought_into_form_or_refused() {
    assert_eq!(case("name: My App\nservices: {}\n").json()["name"], "myapp");
    assert_eq!(
        case("name: '!'\nservices: {}\n").problems(),
        ["/p/compose.yaml:1:7: nothing of `name: !` can stand in the name of a project"]
    );
}

#[test]
fn hostile_files_end_in_problems() {
    for text in ["", "[]", "5", "services: 5", "services: {a: 5}", "include: 5", "? [a]\n: b\n"] {
        assert!(!case(text).problems().is_empty(), "{text}");
    }
    let chain: String = (0..200).map(|i| format!("  s{i}: {{extends: s{}}}\n", i + 1)).collect();
    let problems = case(&format!("services:\n{chain}  s200: {{image: x}}\n")).problems();
    assert!(problems[0].contains("circle") || problems[0].contains("deep"), "{problems:?}");
}

#[test]
fn the_yaml_form_can_be_read_again() {
    let text = "services: {web: {image: a, ulimits: {core: 0}, post_start: [{command: ''}]}}";
    let written = case(text).run(|project| project.expect("loads").to_yaml());
    assert_eq!(written["services"]["web"]["ulimits"], json!({"core": {"soft": 0, "hard": 0}}));
    let again = case(&written.to_string()).run(|project| project.expect("loads").to_yaml());
    assert_eq!(again, written);
}
