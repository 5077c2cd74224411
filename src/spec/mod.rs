//! Between our model and the engine's words: requests to create things, and what differs from what
//! is there. Pure.
