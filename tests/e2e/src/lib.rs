//! Every bad input, through the `staunch` command as a person types it.
//!
//! The tests are in `tests/bad_input`; the connector that gives them their bad input is the binary `misbehave`. See the README.
#![forbid(unsafe_code)]
