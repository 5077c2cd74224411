//! Valid services, each attribute in one of the forms it may be written in.

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

/// An attribute: equal ways to write one value, and a way to write another.
pub(crate) struct Attribute {
    pub(crate) key: &'static str,
    pub(crate) same: &'static [&'static str],
    pub(crate) other: &'static str,
}

const fn attribute(
    key: &'static str,
    same: &'static [&'static str],
    other: &'static str,
) -> Attribute {
    Attribute { key, same, other }
}

/// All of them change how a container behaves.
pub(crate) const ATTRIBUTES: &[Attribute] = &[
    attribute("image", &["nginx:1.27", "'nginx:1.27'", "!!str nginx:1.27"], "nginx:1.28"),
    attribute("command", &["run --fast 1", "[run, --fast, '1']"], "[run]"),
    attribute("entrypoint", &["/bin/sh -c", "[/bin/sh, -c]"], "[]"),
    attribute(
        "environment",
        &["{B: 'yes', A: '1'}", "[A=1, B=yes]", "[B=yes, A=1]", "{A: 1, B: 'yes'}"],
        "{A: 1, B: 'no'}",
    ),
    attribute("labels", &["{a.b: c, d: ''}", "[d=, a.b=c]", "{d: '', a.b: c}"], "{a.b: c}"),
    attribute(
        "volumes",
        &[
            "['/srv:/data:ro']",
            "[{type: bind, source: /srv, target: /data, read_only: true, \
             bind: {create_host_path: true}}]",
        ],
        "['/srv:/data']",
    ),
    attribute("ports", &["['80']", "[{target: 80, protocol: tcp, mode: ingress}]"], "['81']"),
    attribute(
        "healthcheck",
        &["{test: 'true', interval: 60s}", "{interval: 1m, test: [CMD-SHELL, 'true']}"],
        "{test: 'true', interval: 2m}",
    ),
    attribute("ulimits", &["{nofile: {soft: 10, hard: 20}}"], "{nofile: 20}"),
    attribute("dns", &["1.1.1.1", "[1.1.1.1]"], "[1.1.1.1, 8.8.8.8]"),
    attribute("tmpfs", &["/run", "[/run]"], "[/tmp]"),
    attribute("cap_add", &["[NET_ADMIN]"], "[SYS_TIME]"),
    attribute("user", &["'1000'", "!!str 1000"], "root"),
    attribute("working_dir", &["/app", "'/app'"], "/"),
    attribute("hostname", &["one"], "two"),
    attribute("stop_signal", &["SIGINT"], "SIGQUIT"),
    attribute("stop_grace_period", &["60s", "1m", "1m0s"], "61s"),
    attribute("mem_limit", &["64m", "67108864", "65536k"], "65m"),
    attribute("shm_size", &["1m", "1048576"], "2m"),
    attribute("init", &["true", "!!bool 'true'"], "false"),
    attribute("read_only", &["true"], "false"),
    attribute("privileged", &["true"], "false"),
    attribute("tty", &["true"], "false"),
    attribute("extra_hosts", &["{h: 10.0.0.1}", "['h=10.0.0.1']", "['h:10.0.0.1']"], "{}"),
    attribute("sysctls", &["{a.b: 1}", "[a.b=1]"], "{a.b: 2}"),
    attribute("restart", &["always"], "'no'"),
    attribute("logging", &["{driver: local, options: {max-size: 1m}}"], "{driver: local}"),
    attribute("security_opt", &["[no-new-privileges]"], "[label=disable]"),
    attribute("oom_score_adj", &["10"], "11"),
    attribute("cpus", &["1.5", "'1.5'"], "1.25"),
];

/// A service as attributes by number and the form of each; the image is always there.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) attributes: Vec<(usize, Index)>,
    /// Variables with any text.
    pub(crate) texts: Vec<String>,
}

impl Service {
    /// Its attributes as `key: value` lines of YAML, in the order given.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.attributes
            .iter()
            .map(|(number, form)| {
                let Attribute { key, same, other: _ } = &ATTRIBUTES[*number];
                format!("    {key}: {}\n", form.get(same))
            })
            .collect()
    }

    /// A Compose file with this service as `web`.
    pub(crate) fn file(&self) -> String {
        let texts: String = self
            .texts
            .iter()
            .enumerate()
            .map(|(index, text)| format!("      t{index}: {}\n", quoted(text)))
            .collect();
        let texts = match texts.is_empty() {
            true => String::new(),
            false => format!("    annotations:\n{texts}"),
        };
        file_of(&self.lines()) + &texts
    }
}

/// A Compose file with a service of these lines.
pub(crate) fn file_of(lines: &[String]) -> String {
    format!("services:\n  web:\n{}", lines.concat())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

/// Services with any attributes in any forms.
pub(crate) fn service() -> impl Strategy<Value = Service> {
    let numbers: Vec<usize> = (1..ATTRIBUTES.len()).collect();
    let last = numbers.len();
    (
        subsequence(numbers, 0..=last).prop_shuffle(),
        proptest::collection::vec(any::<Index>(), ATTRIBUTES.len()),
        proptest::collection::vec("[ -~äß☃\u{1F980}\n\t]{0,12}", 0..4),
    )
        .prop_map(|(numbers, forms, texts)| {
            let numbers = std::iter::once(0).chain(numbers);
            Service { attributes: numbers.zip(forms).collect(), texts }
        })
}
