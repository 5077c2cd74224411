//! `validate`: all mistakes at once, each in its place.

use crate::environment::{COMPOSE, Repo};

#[test]
fn a_compose_project_works_as_it_stands() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    let run = repo.run(&["validate"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("Valid: 1 stack, 1 service, environment default, "));
}

#[test]
fn all_mistakes_of_all_stacks_are_shown() {
    let repo = Repo::with(&[
        ("stacks/a/compose.yaml", "services:\n  web:\n    iamge: nginx\n    prots: ['80:80']\n"),
        ("stacks/b/compose.yaml", "services:\n  web:\n    image: nginx\n    ports: ['80:nope']\n"),
        ("stacks/c/compose.yaml", COMPOSE),
        ("stacks/d/compose.yaml", "services:\n  web:\n    image: nginx\n    depends_on: [db]\n"),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("Invalid: 3 of 4 stacks have errors, "), "{}", run.stdout);
    insta::assert_snapshot!(run.stderr, @r"
    error[shape/unknown-key]: `iamge` is no key of service (`services.web`)
     --> stacks/a/compose.yaml:3:5
      |
    3 |     iamge: nginx
      |     ^^^^^
      |
      = help: did you mean `image`?

    error[shape/unknown-key]: `prots` is no key of service (`services.web`)
     --> stacks/a/compose.yaml:4:5
      |
    4 |     prots: ['80:80']
      |     ^^^^^
      |
      = help: did you mean `ports`?

    error[compose/bad-value]: `services.web.ports[0]`: `80:nope`: `nope` is not a port number
     --> stacks/b/compose.yaml:4:17
      |
    4 |     ports: ['80:nope']
      |                 ^^^^

    error[compose/reference]: `services.web.depends_on`: there is no service `db`
     --> stacks/d/compose.yaml:4:18
      |
    4 |     depends_on: [db]
      |                  ^^

    hint: mend the files, then: gitdeploy validate --worktree
    ");
}

#[test]
fn a_mistake_in_rendered_text_is_shown_in_the_template() {
    let repo = Repo::with(&[
        ("gitdeploy.yaml", "environments: {production: {values: [values.yaml]}}\n"),
        ("values.yaml", "images: [nginx, redis]\nport: eighty\n"),
        (
            "stacks/a/compose.yaml.j2",
            "services:\n{% for image in values.images %}\n  {{ image }}:\n    image: {{ image }}\n    ports: ['{{ values.port }}:80']\n{% endfor %}\n",
        ),
        ("stacks/b/compose.yaml.j2", "services:\n  web:\n    image: {{ values.imags[0] }}\n"),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stderr, @r"
    error[compose/bad-value]: `services.nginx.ports[0]`: `eighty:80`: `eighty` is not a port number
     --> stacks/a/compose.yaml.j2:5:14
      |
    5 |     ports: ['{{ values.port }}:80']
      |              ^^^^^^^^^^^^^^^^^
      |
      = help: `values.port` is set at values.yaml:2:7

    error[compose/bad-value]: `services.redis.ports[0]`: `eighty:80`: `eighty` is not a port number
     --> stacks/a/compose.yaml.j2:5:14
      |
    5 |     ports: ['{{ values.port }}:80']
      |              ^^^^^^^^^^^^^^^^^
      |
      = help: `values.port` is set at values.yaml:2:7

    error[template/undefined]: `values.imags` is not defined
     --> stacks/b/compose.yaml.j2:3:15
      |
    3 |     image: {{ values.imags[0] }}
      |               ^^^^^^^^^^^^
      |
      = help: did you mean `values.images`?

    hint: mend the files, then: gitdeploy validate --worktree
    ");
}

#[test]
fn settings_and_inventory_are_checked_too() {
    let repo = Repo::with(&[
        ("gitdeploy.yaml", "project: Acme\nenvironmets: {}\n"),
        ("stacks/a/compose.yaml", COMPOSE),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(run.stderr, @r"
    error[shape/bad-value]: `project`: `Acme` is no name: `A` is not a lowercase letter, a digit, `-` or `_`
     --> gitdeploy.yaml:1:10
      |
    1 | project: Acme
      |          ^^^^
      |
      = help: a name looks like `web-1`

    error[shape/unknown-key]: `environmets` is no key of the file
     --> gitdeploy.yaml:2:1
      |
    2 | environmets: {}
      | ^^^^^^^^^^^
      |
      = help: did you mean `environments`?
    ");
}

#[test]
fn two_services_cannot_claim_one_route() {
    let inventory = "hosts: {h: {docker: unix:///run/docker.sock, address: 127.0.0.1}}\nproxies: {edge: {kind: nginx, hosts: [h], runs: host, config: /etc/nginx/conf.d/g.conf, listen: [80]}}\n";
    let stack =
        "services: {web: {image: x, x-gitdeploy: {routes: [{host: a.example.com, port: 80}]}}}\n";
    let repo = Repo::with(&[
        ("inventory.yaml", inventory),
        ("stacks/a/compose.yaml", stack),
        ("stacks/b/compose.yaml", stack),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("Invalid: 2 stacks claim the same route, "));
    insta::assert_snapshot!(run.stderr, @r"
    error[routes/conflict]: the route a.example.com/ on proxy `edge` is claimed by `a/web` and `b/web`
     --> stacks/a/compose.yaml:1:58
      |
    1 | services: {web: {image: x, x-gitdeploy: {routes: [{host: a.example.com, port: 80}]}}}
      |                                                          ^^^^^^^^^^^^^ `a/web`
      |
     ::: stacks/b/compose.yaml:1:58
      |
    1 | services: {web: {image: x, x-gitdeploy: {routes: [{host: a.example.com, port: 80}]}}}
      |                                                          ------------- `b/web`
      |
      = help: give one of them another host or path

    hint: mend the files, then: gitdeploy validate --worktree
    ");
}

#[test]
fn uncommitted_files_are_read_only_when_asked_for() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    repo.write("compose.yaml", "services: {web: {imag: x}}\n");
    assert_eq!(repo.run(&["validate"]).code, 0);
    assert_eq!(repo.run(&["validate", "--worktree"]).code, 1);
    repo.write("compose.yaml", "services: {web: {image: y}}\n");
    assert!(repo.run(&["validate", "--worktree"]).stdout.contains("uncommitted"));
}

#[test]
fn an_unknown_stack_is_named() {
    let repo = Repo::with(&[("stacks/shop/compose.yaml", COMPOSE)]);
    let run = repo.run(&["validate", "shpo"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stderr, @r"
    error[repository/no-such-stack]: there is no stack `shpo`
     |
     = help: did you mean `shop`?
     = help: the stacks are: shop
    ");
    assert_eq!(repo.run(&["validate", "shop"]).code, 0);
}

#[test]
fn events_have_places() {
    let repo = Repo::with(&[("compose.yaml", "services:\n  web:\n    iamge: x\n")]);
    let run = repo.run(&["validate", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let events: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events[0]["type"], "version");
    let diagnostic = &events[1]["diagnostic"];
    assert_eq!(events[1]["type"], "diagnostic");
    assert_eq!(diagnostic["severity"], "error");
    assert_eq!(diagnostic["range"]["filename"], "compose.yaml");
    assert_eq!(diagnostic["range"]["start"]["line"], 3);
    assert_eq!(diagnostic["range"]["start"]["column"], 5);
    assert_eq!(diagnostic["snippet"]["code"], "    iamge: x");
    assert_eq!(events.last().expect("an end")["type"], "validate_summary");
}

#[test]
fn several_environments_must_be_told_apart() {
    let repo = Repo::with(&[
        ("gitdeploy.yaml", "environments: {staging: {}, production: {}}\n"),
        ("compose.yaml", COMPOSE),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stderr, @r"
    error[settings/which-environment]: there are several environments: `production`, `staging`
     --> gitdeploy.yaml:1:1
      |
    1 | environments: {staging: {}, production: {}}
      | ^^^^^^^^^^^^
      |
      = help: say which one with `--env NAME`
    ");
    assert_eq!(repo.run(&["validate", "--env", "staging"]).code, 0);
    assert_eq!(repo.run_with(&["validate"], &[("GITDEPLOY_ENV", "production")]).code, 0);
    assert!(repo.run(&["validate", "--env", "stagign"]).stderr.contains("did you mean `staging`?"));
}

#[test]
fn two_services_cannot_share_a_port_of_the_only_host() {
    let stack = "services: {web: {image: x, ports: ['80:80']}}\n";
    let repo = Repo::with(&[("stacks/a/compose.yaml", stack), ("stacks/b/compose.yaml", stack)]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("Invalid: 2 stacks claim the same host port, "));
    insta::assert_snapshot!(run.stderr, @r"
    error[ports/conflict]: the host port 80/tcp is claimed by `a/web` and `b/web`
     --> stacks/a/compose.yaml:1:36
      |
    1 | services: {web: {image: x, ports: ['80:80']}}
      |                                    ^^^^^^^ `a/web`
      |
     ::: stacks/b/compose.yaml:1:36
      |
    1 | services: {web: {image: x, ports: ['80:80']}}
      |                                    ------- `b/web`
      |
      = help: together they have no more hosts than `local`

    hint: mend the files, then: gitdeploy validate --worktree
    ");
    let local = "services: {web: {image: x, ports: ['127.0.0.1:80:80']}}\n";
    let other = "services: {web: {image: x, ports: ['127.0.0.2:80:80']}}\n";
    repo.commit(&[("stacks/a/compose.yaml", local), ("stacks/b/compose.yaml", other)]);
    assert_eq!(repo.run(&["validate"]).code, 0);
}

#[test]
fn services_that_merely_may_meet_are_no_clash() {
    let inventory = "hosts: {h: {docker: 'ssh://h'}, i: {docker: 'ssh://i'}}\n";
    let stack = |name: &str, replicas: usize| {
        format!(
            "services: {{web: {{image: x, container_name: {name}, ports: ['80:80'], volumes: ['data:/d'], deploy: {{replicas: {replicas}}}}}}}\nvolumes: {{data: {{name: data}}}}\n"
        )
    };
    let repo = Repo::with(&[
        ("inventory.yaml", inventory),
        ("stacks/a/compose.yaml", &stack("web", 1)),
        ("stacks/b/compose.yaml", &stack("web", 1)),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("warning[names/conflict]: `a` and `b` make `data`"));
    repo.commit(&[("stacks/c/compose.yaml", &stack("web", 1))]);
    let run = repo.run(&["validate"]);
    assert!(run.stdout.starts_with("Invalid: 3 stacks claim the same things, "), "{}", run.stderr);
}

#[test]
fn settings_are_not_templates() {
    let repo = Repo::with(&[
        ("inventory.yaml.j2", "hosts: {}\n"),
        ("gitdeploy.yaml", "environments: {production: {values: [values.yaml, gone.yaml]}}\n"),
        ("values.yaml.j2", "a: 1\n"),
        ("compose.yaml", COMPOSE),
    ]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stderr, @r"
    error[settings/template]: `values.yaml.j2` is not rendered: settings are not templates
     --> gitdeploy.yaml:1:38
      |
    1 | environments: {production: {values: [values.yaml, gone.yaml]}}
      |                                      ^^^^^^^^^^^

    error[settings/no-such-file]: there is no file `gone.yaml` in the repository
     --> gitdeploy.yaml:1:51
      |
    1 | environments: {production: {values: [values.yaml, gone.yaml]}}
      |                                                   ^^^^^^^^^

    error[settings/template]: `inventory.yaml.j2` is not rendered: settings are not templates
     |
     = help: name it `inventory.yaml`
    ");
}

#[test]
fn a_host_that_is_not_there_is_told_with_those_that_are() {
    let repo = Repo::with(&[
        ("inventory.yaml", "hosts: {web-1: {docker: 'ssh://h', labels: {zone: a}}}\n"),
        (
            "compose.yaml",
            "services: {web: {image: x, deploy: {placement: {constraints: [node.hostname == web1]}}}}\n",
        ),
    ]);
    insta::assert_snapshot!(repo.run(&["validate"]).stderr, @r"
    error[resolve/no-host]: no host fulfils `node.hostname == web1`
     --> compose.yaml:1:63
      |
    1 | services: {web: {image: x, deploy: {placement: {constraints: [node.hostname == web1]}}}}
      |                                                               ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `web-1`?
      = help: the hosts are: `web-1` (zone=a)

    hint: mend the files, then: gitdeploy validate --worktree
    ");
}
