//! The kit against the recorded behaviour of the one it replaces: see the README. All of it is in `tests`.
#![forbid(unsafe_code)]
