//! A connector that does what a script says.
//!
//! Its endpoint config holds the script: resources, the functions that capture them, and step by step what each invocation of a
//! function does. The conformance suite hands it hundreds of these and compares what comes out with what ought to. It is built
//! of the kit's public API alone, so that whatever a script can say, the author of a connector can do.
//!
//! | file | |
//! |---|---|
//! | `script` | the endpoint config: resources and their functions |
//! | `step` | what an invocation does, one step at a time |
//! | `document` | documents, as the compact text that is captured |
//! | `function` | which of its invocations a function runs, and the running of it |
//! | `emitter` | the three emitters of the kit as one |
//! | `latch` | what functions wait for each other by |
//! | `resources` | the kit's resources, from the script's |
//! | `migrations` | the steps that carry states of earlier scripts over |
//! | `connector` | the connector itself |
#![forbid(unsafe_code)]

mod connector;
mod document;
mod emitter;
mod function;
mod latch;
mod migrations;
mod resources;
mod script;
mod step;

pub use connector::{Config, Scenario};
