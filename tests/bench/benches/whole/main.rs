//! Whole processes: what a connector of the kit and the command take, beside programs that do only the physical work.
//!
//! ```text
//! cargo bench -p staunch-bench                       everything
//! cargo bench -p staunch-bench -- emit start         some of it: emit, rest, idle, fair, start, land, migrate, upgrade, webhook
//! cargo bench -p staunch-bench -- spool              only when it is named: it takes 5 GiB of the temporary folder
//! cargo bench -p staunch-bench -- outreach           only when it is named: it takes minutes, and 2 GiB of memory
//! cargo bench -p staunch-bench -- shopify           only when it is named: it takes 5 GiB of the temporary folder
//! cargo bench -p staunch-bench -- postgres           only when it is named: it takes a PostgreSQL, and 2 GiB of the folder of the build
//! cargo bench -p staunch-bench -- --rounds 3 land    fewer rounds than five
//! ```
//!
//! In every round each program runs once, one after the other, so that what else the machine does meanwhile falls on all of them.
//! What is printed of a quantity is its median over the rounds, and of a ratio the median of the rounds' ratios.
#![forbid(unsafe_code)]

mod emit;
mod fair;
mod idle;
mod land;
mod measure;
mod migrate;
mod open;
mod outreach;
mod postgres;
mod program;
mod rest;
mod server;
mod shopify;
mod spool;
mod start;
mod table;
mod upgrade;
mod webhook;

use std::process::ExitCode;

/// How often each program runs, unless it is said otherwise.
const ROUNDS: usize = 5;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let mut rounds = ROUNDS;
    let mut wanted = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}            // Cargo says so.
            "--test" => return Ok(()), // `cargo test --benches`: that it compiles is all there is to test.
            "--rounds" => {
                rounds = arguments
                    .next()
                    .ok_or("`--rounds` needs a number")?
                    .parse()?
            }
            "emit" | "rest" | "idle" | "fair" | "spool" | "start" | "land" | "migrate"
            | "upgrade" | "webhook" | "outreach" | "shopify" | "postgres" => wanted.push(argument),
            _ => {
                return Err(format!(
                    "there is no bench `{argument}`; name any of emit, rest, idle, fair, spool, start, land, migrate, upgrade, webhook, outreach, shopify, postgres"
                )
                .into());
            }
        }
    }
    if rounds == 0 {
        return Err("no rounds, no figures; ask for one at least".into());
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if is_wanted("start") {
        start::run(rounds)?;
    }
    if is_wanted("emit") {
        emit::run(rounds)?;
    }
    if is_wanted("rest") {
        rest::run(rounds)?;
    }
    if is_wanted("idle") {
        idle::run(rounds)?;
    }
    if is_wanted("fair") {
        fair::run(rounds)?;
    }
    if wanted.iter().any(|wanted| wanted == "spool") {
        spool::run(rounds)?;
    }
    if wanted.iter().any(|wanted| wanted == "outreach") {
        outreach::run(rounds)?;
    }
    if wanted.iter().any(|wanted| wanted == "shopify") {
        shopify::run(rounds)?;
    }
    if wanted.iter().any(|wanted| wanted == "postgres") {
        postgres::run(rounds)?;
    }
    if is_wanted("land") {
        land::run(rounds)?;
    }
    if is_wanted("migrate") {
        migrate::run(rounds)?;
    }
    if is_wanted("upgrade") {
        upgrade::run(rounds)?;
    }
    if is_wanted("webhook") {
        webhook::run(rounds)?;
    }
    Ok(())
}
