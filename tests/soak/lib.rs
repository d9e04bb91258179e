//! Nothing but the tests in `tests/`.
#![forbid(unsafe_code)]
