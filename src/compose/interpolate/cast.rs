//! Positions in which a string means a number or a boolean once its variables are replaced.
//!
//! YAML's types are read before interpolation, so `replicas: ${N}` is a string. In the positions
//! listed here every string is cast; in all others it stays one.

use thiserror::Error;

use crate::compose::forms::{
    Boolean, BooleanProblem, Fault, NumberProblem, boolean, float, float32, integer,
};

/// What a string is cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A whole number.
    Int,
    /// A number in double precision.
    Float,
    /// A number in single precision.
    Float32,
    /// A boolean.
    Bool,
}

/// The outcome of a [`Cast`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A number in double precision.
    Float(f64),
    /// A number in single precision.
    Float32(f32),
    /// A boolean, and whether it deserves a warning for its spelling.
    Bool(Boolean),
}

/// Why a string cannot be cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CastProblem {
    /// It is not the number that is needed here.
    #[error(transparent)]
    Number(NumberProblem),
    /// It is not a boolean, which is needed here.
    #[error(transparent)]
    Bool(BooleanProblem),
}

impl Cast {
    /// Reads `text` as what is needed.
    pub fn apply(self, text: &str) -> Result<Scalar, Fault<CastProblem>> {
        let number = |Fault { kind, range }| Fault::new(CastProblem::Number(kind), range);
        match self {
            Self::Int => integer(text).map(Scalar::Int).map_err(number),
            Self::Float => float(text).map(Scalar::Float).map_err(number),
            Self::Float32 => float32(text).map(Scalar::Float32).map_err(number),
            Self::Bool => boolean(text)
                .map(Scalar::Bool)
                .map_err(|Fault { kind, range }| Fault::new(CastProblem::Bool(kind), range)),
        }
    }
}

/// The cast for a path of keys, in which `[]` stands for any place in a list.
pub fn cast_of(path: &[&str]) -> Option<Cast> {
    match path {
        ["services", _, rest @ ..] => service(rest),
        ["networks", _, "external" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6"]
        | ["volumes" | "secrets" | "configs", _, "external"] => Some(Cast::Bool),
        _ => None,
    }
}

fn service(path: &[&str]) -> Option<Cast> {
    Some(match path {
        ["cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime"]
        | ["cpu_shares" | "oom_score_adj" | "pids_limit" | "scale"]
        | ["healthcheck", "retries"]
        | ["ports", "[]", "target"]
        | ["ulimits", _]
        | ["ulimits", _, "hard" | "soft"] => Cast::Int,
        ["cpu_percent"] => Cast::Float,
        ["cpus"] => Cast::Float32,
        ["init" | "oom_kill_disable" | "privileged" | "read_only" | "stdin_open" | "tty"]
        | ["depends_on", _, "required" | "restart"]
        | ["healthcheck", "disable"]
        | ["volumes", "[]", "read_only"]
        | ["volumes", "[]", "volume", "nocopy"] => Cast::Bool,
        ["deploy", rest @ ..] => return deploy(rest),
        _ => return None,
    })
}

fn deploy(path: &[&str]) -> Option<Cast> {
    match path {
        ["replicas"]
        | ["update_config" | "rollback_config", "parallelism"]
        | ["restart_policy", "max_attempts"]
        | ["placement", "max_replicas_per_node"] => Some(Cast::Int),
        ["update_config" | "rollback_config", "max_failure_ratio"] => Some(Cast::Float),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_positions_have_their_cast() {
        for (path, cast) in [
            ("services.web.cpu_count", Some(Cast::Int)),
            ("services.web.cpu_percent", Some(Cast::Float)),
            ("services.web.cpus", Some(Cast::Float32)),
            ("services.web.scale", Some(Cast::Int)),
            ("services.web.tty", Some(Cast::Bool)),
            ("services.web.depends_on.db.required", Some(Cast::Bool)),
            ("services.web.depends_on.db.condition", None),
            ("services.web.deploy.replicas", Some(Cast::Int)),
            ("services.web.deploy.update_config.parallelism", Some(Cast::Int)),
            ("services.web.deploy.rollback_config.max_failure_ratio", Some(Cast::Float)),
            ("services.web.deploy.resources.limits.cpus", None),
            ("services.web.deploy.restart_policy.max_attempts", Some(Cast::Int)),
            ("services.web.healthcheck.retries", Some(Cast::Int)),
            ("services.web.healthcheck.disable", Some(Cast::Bool)),
            ("services.web.healthcheck.interval", None),
            ("services.web.ports.[].target", Some(Cast::Int)),
            ("services.web.ports.[].published", None),
            ("services.web.ulimits.nofile", Some(Cast::Int)),
            ("services.web.ulimits.nofile.soft", Some(Cast::Int)),
            ("services.web.volumes.[].read_only", Some(Cast::Bool)),
            ("services.web.volumes.[].volume.nocopy", Some(Cast::Bool)),
            ("services.web.volumes.[].bind.create_host_path", None),
            ("services.web", None),
            ("services.web.mem_limit", None),
            ("networks.front.external", Some(Cast::Bool)),
            ("networks.front.enable_ipv6", Some(Cast::Bool)),
            ("networks.front.driver", None),
            ("volumes.data.external", Some(Cast::Bool)),
            ("secrets.key.external", Some(Cast::Bool)),
            ("configs.app.external", Some(Cast::Bool)),
            ("configs.app.file", None),
            ("x-web.cpus", None),
        ] {
            assert_eq!(cast_of(&path.split('.').collect::<Vec<_>>()), cast, "{path}");
        }
    }

    #[test]
    fn a_cast_reads_what_its_position_needs() {
        let yes = Boolean { value: true, is_dated: true };
        assert_eq!(Cast::Int.apply("-7"), Ok(Scalar::Int(-7)));
        assert_eq!(Cast::Float.apply("0.25"), Ok(Scalar::Float(0.25)));
        assert_eq!(Cast::Float32.apply("1.5"), Ok(Scalar::Float32(1.5)));
        assert_eq!(Cast::Bool.apply("yes"), Ok(Scalar::Bool(yes)));
    }

    #[test]
    fn a_cast_that_fails_says_what_was_needed() {
        let number = |kind, range| Err(Fault::new(CastProblem::Number(kind), range));
        assert_eq!(Cast::Int.apply(""), number(NumberProblem::Empty, 0..0));
        assert_eq!(Cast::Int.apply("two"), number(NumberProblem::Malformed, 0..3));
        assert_eq!(Cast::Int.apply("1.5"), number(NumberProblem::NotWhole, 0..3));
        assert_eq!(Cast::Float.apply("1e999"), number(NumberProblem::OutOfRange, 0..5));
        let unknown = Err(Fault::new(CastProblem::Bool(BooleanProblem::Unknown), 0..2));
        assert_eq!(Cast::Bool.apply("ja"), unknown);
    }
}
