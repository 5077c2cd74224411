//! `destroy`: removes what a stack has on the hosts. It is a plan in which nothing is wanted.

use super::Run;
use super::apply::Job;
use super::plan::choice;
use crate::cli::args::{DestroyArgs, Inputs};
use crate::cli::live::{Session, Source};
use crate::cli::{Exit, Failure};
use crate::pipeline::Wish;
use crate::planner::Scope;

pub(super) fn run(run: &Run<'_>, args: &DestroyArgs) -> Result<Exit, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let scope = Scope {
        stacks: Session::named(std::slice::from_ref(&args.stack))?,
        removes_volumes: args.volumes,
        skip_unreachable: session.skips_unreachable(args.skip_unreachable),
        ..Scope::default()
    };
    let job = Job::new(run, &session, &args.execution, "destroy");
    let wish = Wish::nothing(&session.owner);
    let planned = job.plan(&wish, &scope)?;
    job.carry_out(&wish, &planned.plan, &scope)
}
