//! The real world behind `ports`: Docker engines, nginx, HAProxy, SSH, the clock. Thin: it decides
//! nothing.

mod clock;
mod dial;
pub mod docker;
pub mod proxy;
pub mod ssh;

pub use clock::System;
