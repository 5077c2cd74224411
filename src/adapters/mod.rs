//! The real world behind `ports`: Docker engines, nginx, HAProxy, the clock. Thin: it decides
//! nothing.

mod clock;
pub mod docker;
pub mod proxy;

pub use clock::System;
