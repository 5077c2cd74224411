//! What the daemon decides, and what it knows: plain values, no clock, no network.
//!
//! [`Rules`] is what its owner says, [`Picture`] what it shows, [`Notice`] what it tells, [`Order`]
//! what others ask of it. The loop that acts on decisions is `daemon`; whatever answers HTTP or
//! writes messages sees a [`Picture`] and notices, and sends orders, and knows nothing else.

mod memory;
mod notice;
mod order;
mod picture;
mod rules;
mod state;
mod wake;
mod window;

pub use memory::{Approval, Failure, Kept, Memory, Pause, Unreadable};
pub use notice::{Notice, NoticeKind};
pub use order::{Order, OrderKind, Refusal};
pub use picture::{
    Asked, Carried, GitOp, Health, HostView, Measured, Mode, Picture, PlanView, Round, RoundEnd,
    Setback, SourceView, StackView, StepView, Sync, Times, Transport, Trigger, Waiting,
};
pub use rules::{
    Budget, Forge, Hook, HookKind, Notify, NotifyKind, Retry, Rules, Secret, Signers, Source,
    StackRules, Window, WindowKind,
};
pub use state::State;
pub use wake::{
    Begin, Decision, Deviation, Difference, Finding, News, Progress, Seen, Sight, Target, Wake,
};
pub use window::{check_schedule, parse_moment};
