//! The template engine as it is set up here, and one rendering with it.
//!
//! An [`Engine`] holds what all renderings share: filters, tests, functions and limits. Making
//! the environment of one rendering from it copies a few pointers.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Rest;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::instrument::{COUNT, PROBE, Purpose, SIZES, instrument};
use super::library::{Found, Library, fixed_name};
use super::limits::{
    FUEL_MAX, OUTPUT_BYTES_MAX, RECURSION_MAX, Sink, Stop, check_sizes, count_text, formatter,
    too_much_output,
};
use super::{filters, methods};

/// What all renderings share. Make one and pass it around; it may be used from many threads.
#[derive(Debug, Clone)]
pub struct Engine {
    base: Environment<'static>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Sets the engine up.
    pub fn new() -> Self {
        let mut base = Environment::new();
        base.set_undefined_behavior(UndefinedBehavior::Strict);
        // Only this makes errors know which expression was undefined.
        base.set_debug(true);
        base.set_fuel(Some(FUEL_MAX));
        base.set_recursion_limit(RECURSION_MAX);
        base.set_auto_escape_callback(|_| AutoEscape::None);
        base.set_auto_reload(false);
        base.set_syntax(
            SyntaxConfig::builder()
                .keep_trailing_newline(true)
                .build()
                .expect("the default delimiters are valid"),
        );
        base.set_formatter(formatter);
        base.set_unknown_method_callback(methods::call);
        // It prints the whole state of the engine, which has no size limit.
        base.remove_global("debug");
        filters::install(&mut base);
        base.add_function(COUNT, count_text);
        base.add_function(SIZES, check_sizes);
        Self { base }
    }
}

/// One template with all it takes to render it again.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) engine: Engine,
    pub(super) library: Arc<Library>,
    pub(super) root: Value,
    pub(super) path: Arc<str>,
}

/// How a rendering ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With text.
    Text(Vec<u8>),
    /// The library lacks this name.
    Wants(String),
    /// With an error.
    Failed(Error),
}

/// Names or keys seen at a place.
pub(super) type Names = Vec<String>;

type Slot<T> = Arc<Mutex<Option<T>>>;

fn put<T>(slot: &Slot<T>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

fn taken<T>(slot: &Slot<T>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Job {
    /// Renders.
    pub(super) fn render(&self) -> Outcome {
        self.run(&Plan::Render)
    }

    /// Renders with markers; `None` when that fails.
    pub(super) fn render_marked(&self, reach: super::instrument::Reach) -> Option<String> {
        match self.run(&Plan::Mark(reach)) {
            Outcome::Text(bytes) => String::from_utf8(bytes).ok(),
            Outcome::Wants(_) | Outcome::Failed(_) => None,
        }
    }

    /// Renders until it fails again, and tells what `base` had in the template of that name just
    /// before the tag at `at`, or which names there were.
    pub(super) fn probe(&self, name: &str, at: usize, base: Option<&str>) -> Option<Names> {
        let base = base.map(str::to_owned);
        let seen: Slot<Names> = Slot::default();
        let plan = Plan::Probe { name: name.to_owned(), at, base, seen: Arc::clone(&seen) };
        match self.run(&plan) {
            Outcome::Text(_) | Outcome::Wants(_) | Outcome::Failed(_) => taken(&seen),
        }
    }

    fn run(&self, plan: &Plan) -> Outcome {
        let wants: Slot<String> = Slot::default();
        let environment = self.environment(plan.clone(), &wants);
        let slack = match plan {
            Plan::Mark(_) => 3 * OUTPUT_BYTES_MAX,
            Plan::Render | Plan::Probe { .. } => 0,
        };
        let mut sink = Sink { slack, ..Sink::default() };
        let result = environment
            .get_template(&fixed_name(&self.path))
            .and_then(|template| template.render_captured_to(self.root.clone(), &mut sink))
            .map(drop);
        match (result, taken(&wants)) {
            (_, Some(name)) => Outcome::Wants(name),
            (Ok(()), None) => Outcome::Text(sink.bytes),
            (Err(_), None) if sink.is_full => Outcome::Failed(too_much_output()),
            (Err(error), None) => Outcome::Failed(error),
        }
    }

    fn environment(&self, plan: Plan, wants: &Slot<String>) -> Environment<'static> {
        let mut environment = self.engine.base.clone();
        if let Plan::Probe { seen, .. } = &plan {
            let seen = Arc::clone(seen);
            environment.add_function(PROBE, move |state: &mut State, base: Rest<Value>| {
                put(&seen, names_at(state, base.first()));
                ""
            });
        }
        let library = Arc::clone(&self.library);
        environment
            .set_path_join_callback(move |name, parent| Cow::Owned(library.name(name, parent)));
        let library = Arc::clone(&self.library);
        let wants = Arc::clone(wants);
        environment.set_loader(move |name| match library.find(name) {
            Some(Found::Template(index, template)) => {
                Ok(Some(instrument(&template.text, plan.purpose(*index, name)).text))
            }
            Some(Found::Nothing { .. }) => Ok(None),
            Some(Found::Unreadable(reason)) => Err(Stop::Unreadable(reason.clone()).into()),
            None => {
                put(&wants, name.to_owned());
                Err(Error::new(ErrorKind::InvalidOperation, "this template was not read yet"))
            }
        });
        environment
    }
}

fn names_at(state: &State, base: Option<&Value>) -> Names {
    let Some(base) = base else {
        return state.known_variables().into_iter().map(Cow::into_owned).collect();
    };
    let keys = base
        .as_object()
        .is_some_and(|object| matches!(object.repr(), minijinja::value::ObjectRepr::Map));
    match base.try_iter() {
        Ok(items) if keys => {
            items.filter_map(|key| key.as_str().map(str::to_owned)).take(1000).collect()
        }
        Ok(_) | Err(_) => Names::new(),
    }
}

#[derive(Debug, Clone)]
enum Plan {
    Render,
    Mark(super::instrument::Reach),
    Probe { name: String, at: usize, base: Option<String>, seen: Slot<Names> },
}

impl Plan {
    fn purpose(&self, index: usize, template: &str) -> Purpose<'_> {
        match self {
            Self::Render => Purpose::Render,
            Self::Mark(reach) => Purpose::Mark { index, reach: *reach },
            Self::Probe { name, at, base, .. } if name == template => {
                Purpose::Probe { at: *at, base: base.as_deref() }
            }
            Self::Probe { .. } => Purpose::Render,
        }
    }
}
