//! The steps, in order, each announced, with the commands as they could be typed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use staunch_stage::{Folder, step};

use crate::stores::{STREAMS, Stores};

/// The catalog beside this program's source; the job fills in what differs.
const TEMPLATE: &str = include_str!("../flow.yaml");

/// The programs, by name.
const PROGRAMS: [&str; 3] = [
    "staunch",
    "source-shopify-native-v1",
    "source-shopify-native",
];

const RUN: [&str; 3] = ["run", "--until-idle", "8s"];

const PLAN: [&str; 3] = ["migrate", "plan", "--ask-source"];

const FIRST: &str = "bin/source-shopify-native-v1";
const PRESENT: &str = "bin/source-shopify-native";

/// What the config of the first release has.
const FLAT: &str =
    "          store: alpha\n          credentials: { access_token: private-alpha }\n";

/// Does the job. An error if anything was missed, or a backfill was begun twice.
pub(crate) fn run(folder: Option<PathBuf>) -> Result<()> {
    step("Build the command and the connector, and open three stores of Shopify");
    let workspace = staunch_stage::workspace()?;
    let packages = ["staunch-cli", "source-shopify-native"];
    let programs = staunch_stage::build(&workspace, &packages, &PROGRAMS)?;
    let path = match folder {
        Some(folder) => folder,
        None => Folder::beside(&std::env::current_exe()?, "shopify-demo")?,
    };
    let folder = Folder::fresh(&path, &programs)?;
    let stores = Stores::open()?;
    println!("Each of alpha, beta and gamma has 60 locations, 45 customers and 20 products.");
    println!("All that follows happens in: {}", folder.path.display());

    step(
        "Capture alpha with the first release, which knows one store. In the middle, the store is locked",
    );
    let catalog = catalog(FIRST, &[], &stores)?;
    folder.write("flow.yaml", &catalog)?;
    print!("{catalog}");
    println!();
    stores.lock_after("alpha", 3)?;
    let status = folder.staunch(&["run", "--once"])?;
    ensure!(!status.success(), "a locked store was to end the capture");
    stores.unlock("alpha")?;
    let before = state(&folder)?;
    let page = before.pointer("/bindingStateV1/locations/backfill/next_page");
    ensure!(
        page.is_some_and(Value::is_string),
        "the capture was to end in the middle of a backfill"
    );
    println!(
        "The store is open again. The backfill of its locations has come to a page in the middle:"
    );
    println!("{before:#}");

    step(
        "Say it as the present release wants it: a list of stores, with one. Ask what that would do, and have it done",
    );
    configure(&folder, PRESENT, &["alpha"], &stores)?;
    folder.staunch_succeeds(&["migrate", "plan"])?;
    folder.staunch_succeeds(&["migrate", "apply", "--probation", "3,5s"])?;
    folder.staunch_succeeds(&RUN)?;

    step("Add a second store. Its backfills begin, and nothing of alpha's does");
    configure(&folder, PRESENT, &["alpha", "beta"], &stores)?;
    folder.staunch_succeeds(&PLAN)?;
    folder.staunch_succeeds(&RUN)?;

    step("10 locations of alpha change, and 5 of beta; and a third store is added");
    stores.change("alpha", 1..=10)?;
    stores.change("beta", 1..=5)?;
    configure(&folder, PRESENT, &["alpha", "beta", "gamma"], &stores)?;
    folder.staunch_succeeds(&PLAN)?;
    folder.staunch_succeeds(&RUN)?;
    compare(&folder, &stores, &["alpha", "beta", "gamma"])?;

    step("Remove beta. Its entries stay, and nobody asks it any more");
    configure(&folder, PRESENT, &["alpha", "gamma"], &stores)?;
    folder.staunch_succeeds(&["migrate", "plan"])?;
    stores.change("gamma", 1..=5)?;
    folder.staunch_succeeds(&RUN)?;

    step("Compare what was captured with what the simulator knows");
    compare(&folder, &stores, &["alpha", "beta", "gamma"])?;
    for store in ["alpha", "beta", "gamma"] {
        let begun = stores.backfills_of(store);
        ensure!(
            begun == 1,
            "the locations of {store} were backfilled {begun} times"
        );
    }
    println!("The backfill of each store was begun once; that of alpha went on at its page.");

    step("What came of it");
    let (after, documents) = folder.state()?;
    println!("{}", after.trim_end());
    println!("{documents} documents are committed. They lie in:");
    for (what, path) in [
        ("locations", "out/demo/locations.jsonl"),
        ("customers", "out/demo/customers.jsonl"),
        ("products", "out/demo/products.jsonl"),
        ("state", ".staunch"),
        ("catalog", "flow.yaml"),
    ] {
        println!("  {what:<9} {}", folder.path.join(path).display());
    }
    Ok(())
}

/// Writes the catalog with this connector and these stores, and shows what it has of them.
fn configure(folder: &Folder, connector: &str, names: &[&str], stores: &Stores) -> Result<()> {
    folder.write("flow.yaml", &catalog(connector, names, stores)?)?;
    println!("flow.yaml now has: command: [\"{connector}\"]");
    print!("{}", listed(names));
    println!();
    Ok(())
}

/// What the config has of these stores.
fn listed(names: &[&str]) -> String {
    let stores = names.iter().map(|name| {
        format!("            - store: {name}\n              credentials: {{ access_token: private-{name} }}\n")
    });
    format!("          stores:\n{}", stores.collect::<String>())
}

/// The catalog, with this connector and these stores; with none, as the first release wants it.
fn catalog(connector: &str, names: &[&str], stores: &Stores) -> Result<String> {
    let written = match names.is_empty() {
        true => FLAT.to_owned(),
        false => listed(names),
    };
    staunch_stage::filled(
        TEMPLATE,
        &[
            (
                "[../../target/debug/source-shopify-native]",
                format!("[{connector}]"),
            ),
            ("http://127.0.0.1:8240/{store}", stores.url()),
            (&listed(&["alpha"]), written),
        ],
    )
}

fn state(folder: &Folder) -> Result<Value> {
    let (text, _) = folder.state()?;
    serde_json::from_str(&text).context("reading the state")
}

/// Sees that the last version of each record of these stores was captured.
fn compare(folder: &Folder, stores: &Stores, names: &[&str]) -> Result<()> {
    for (stream, kind) in STREAMS {
        let path = folder.path.join(format!("out/demo/{stream}.jsonl"));
        let text = std::fs::read_to_string(&path).context("reading what was captured")?;
        let mut last = BTreeMap::new();
        for line in text.lines() {
            let document: Value = serde_json::from_str(line).context("reading a document")?;
            let text = |pointer: &str| document.pointer(pointer)?.as_str().map(str::to_owned);
            let version = (text("/_meta/store"), text("/id"), text("/updatedAt"));
            let (Some(store), Some(id), Some(at)) = version else {
                anyhow::bail!("a document of `{stream}` has no store, id or time");
            };
            last.insert((store, id), at);
        }
        for store in names {
            let truth = stores.truth(store, kind)?;
            let missing = truth
                .iter()
                .filter(|(id, at)| last.get(&((*store).to_owned(), (*id).clone())) != Some(at));
            let missing = missing.count();
            println!(
                "{stream:<9} of {store:<5} {} records, {missing} missing",
                truth.len()
            );
            ensure!(missing == 0, "{missing} records are missing");
        }
    }
    Ok(())
}
