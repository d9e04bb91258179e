//! Servers that are posted to, and who posts.
//!
//! ```text
//! bench-web                                          a connector of the kit, on a port of the system's choice
//! bench-web floor [MILLISECONDS]                     hyper alone: takes the body, answers, perhaps after a while
//! bench-web load ADDRESS CONNECTIONS SECONDS [RATE]  posts as fast as it is answered, or so often in a second
//! ```
#![forbid(unsafe_code)]

mod floor;
mod load;

use std::process::ExitCode;

use staunch::webhook::{Endpoint, Listener, Rule};
use staunch::{BoxError, Connector, Resource};
use staunch_bench::usage;

/// Where documents are posted to.
const PATH: &str = "/documents";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => {
            let code = staunch::main(Posted);
            usage::report();
            return code;
        }
        ["floor", ref rest @ ..] => floor::serve(rest.first().copied().unwrap_or("0")),
        ["load", address, connections, seconds, ref rest @ ..] => {
            load::run(address, connections, seconds, rest.first().copied())
        }
        _ => Err("it is not said what to do; see the source".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-web: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Posted;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {}

impl Connector for Posted {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/posted";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        let endpoint = Endpoint::new(Rule::path(PATH));
        Ok(vec![Resource::new("documents").webhook(endpoint)])
    }

    fn listener(&self, _: &Config) -> Listener {
        Listener::default().address(([127, 0, 0, 1], 0).into())
    }
}
