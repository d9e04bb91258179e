//! Stores of Shopify: the connector, a server that answers what it asks at once, and readers of what a bulk job results in.
#![forbid(unsafe_code)]

mod read;
mod serve;

use std::process::ExitCode;

use source_shopify_native::{Place, SourceShopify};
use staunch_bench::usage;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => {
            let code = staunch::main(SourceShopify::new(Place::from_environment()));
            usage::report();
            return code;
        }
        ["serve", bytes] => serve::run(bytes),
        ["read", url] => read::only(url),
        ["assemble", url] => read::assembled(url),
        _ => Err("it is told `serve BYTES`, `read URL`, `assemble URL` or nothing".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-shopify: {error}");
            ExitCode::FAILURE
        }
    }
}
