//! The steps, in order, each announced, with the commands as they could be typed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use staunch_stage::{Folder, step};

use crate::account::{Account, CLOCK, RESOURCES};
use crate::outcome::{Outcome, Version, captured};

/// The catalog beside this program's source; the job fills in what differs.
const TEMPLATE: &str = include_str!("../flow.yaml");

/// The programs, by name.
const PROGRAMS: [&str; 3] = ["staunch", "source-outreach-v1", "source-outreach"];

const RUN: [&str; 3] = ["run", "--until-idle", "3s"];

/// What the migration declares that it reads again at most.
const LAG: Duration = Duration::from_secs(6 * 3600);

/// What appears late here does so after this time.
const DELAY: Duration = Duration::from_secs(2 * 3600);

/// Does the job. An error if anything was missed, or read again beyond what the migration declares.
pub(crate) fn run(folder: Option<PathBuf>) -> Result<()> {
    step("Build the command and the connector, and open an account of Outreach");
    let workspace = staunch_stage::workspace()?;
    let programs =
        staunch_stage::build(&workspace, &["staunch-cli", "source-outreach"], &PROGRAMS)?;
    let path = match folder {
        Some(folder) => folder,
        None => Folder::beside(&std::env::current_exe()?, "outreach-demo")?,
    };
    let folder = Folder::fresh(&path, &programs)?;
    let account = Account::open()?;
    account.tell_time(&folder.path)?;
    println!(
        "It has 300 accounts and 80 prospects. It is {} there, and stays so until time is let pass.",
        account.now()
    );
    println!("All that follows happens in: {}", folder.path.display());

    step("Capture it with the first release, `source-outreach-v1`, which has one cursor");
    let catalog = self::catalog("bin/source-outreach-v1", &account)?;
    folder.write("flow.yaml", &catalog)?;
    print!("{catalog}");
    println!();
    folder.staunch_succeeds(&RUN)?;

    step("An hour passes. 20 accounts change; 3 of the changes do not appear yet");
    account.wait(60, &folder.path)?;
    account.change("account", 1..=17, Duration::ZERO)?;
    account.change("account", 18..=20, DELAY)?;
    account.wait(30, &folder.path)?;
    println!("Outreach lets a record appear up to six hours after the time that it bears.");
    folder.staunch_succeeds(&RUN)?;

    step(
        "Four hours pass. The 3 have appeared, with a time that the cursor has gone by; 5 prospects change",
    );
    account.wait(210, &folder.path)?;
    account.change("prospect", 1..=5, Duration::ZERO)?;
    account.wait(30, &folder.path)?;
    folder.staunch_succeeds(&RUN)?;
    let missed = compare(&folder, &account, None)?;
    ensure!(
        missed == 3,
        "the first release was to miss 3 changes, and missed {missed}"
    );
    println!("The first release will never see them. It also has no way to know.");

    step(
        "Ask what the present release would do, which reads everything once more when it is six hours old",
    );
    let to = ["--to", "bin/source-outreach"];
    folder.staunch_succeeds(&[&["migrate", "plan"][..], &to].concat())?;

    step("Have it done");
    let before = state(&folder)?;
    folder
        .staunch_succeeds(&[&["migrate", "apply"][..], &to, &["--probation", "3,5s"]].concat())?;
    let catalog = self::catalog("bin/source-outreach", &account)?;
    folder.write("flow.yaml", &catalog)?;
    println!("flow.yaml now has: command: [\"bin/source-outreach\"]");

    step("Go on. 4 accounts change, half of them late; and half a day passes");
    account.change("account", 30..=31, Duration::ZERO)?;
    account.change("account", 32..=33, DELAY)?;
    account.wait(10, &folder.path)?;
    folder.staunch_succeeds(&RUN)?;
    account.wait(12 * 60, &folder.path)?;
    folder.staunch_succeeds(&RUN)?;

    step("Compare what was captured with what the simulator knows");
    let missed = compare(&folder, &account, Some(&before))?;
    ensure!(missed == 0, "{missed} changes are missing");

    step("What came of it");
    let (after, documents) = folder.state()?;
    println!("The state of the first release:\n{before:#}");
    println!("The state now:\n{}", after.trim_end());
    println!("{documents} documents are committed. They lie in:");
    for (what, path) in [
        ("accounts", "out/demo/accounts.jsonl"),
        ("prospects", "out/demo/prospects.jsonl"),
        ("state", ".staunch"),
        ("catalog", "flow.yaml"),
    ] {
        println!("  {what:<9} {}", folder.path.join(path).display());
    }

    step("And back: the first release goes on where the present one was");
    folder.staunch_succeeds(&["migrate", "rollback", "--yes"])?;
    folder.write(
        "flow.yaml",
        &self::catalog("bin/source-outreach-v1", &account)?,
    )?;
    println!("flow.yaml now has: command: [\"bin/source-outreach-v1\"]");
    account.change("account", 40..=41, Duration::ZERO)?;
    account.wait(10, &folder.path)?;
    folder.staunch_succeeds(&RUN)?;
    let missed = compare(&folder, &account, Some(&before))?;
    ensure!(missed == 0, "{missed} changes are missing");
    folder.staunch_succeeds(&["migrate", "history"])?;
    Ok(())
}

/// The catalog, with this connector and this account.
fn catalog(connector: &str, account: &Account) -> Result<String> {
    let url = account.url();
    staunch_stage::filled(
        TEMPLATE,
        &[
            (
                "[../../target/debug/source-outreach]",
                format!("[{connector}]"),
            ),
            (
                "{ SOURCE_OUTREACH_URL: \"http://127.0.0.1:8230\" }",
                format!("{{ SOURCE_OUTREACH_URL: \"{url}\", SOURCE_OUTREACH_CLOCK: {CLOCK} }}"),
            ),
        ],
    )
}

fn state(folder: &Folder) -> Result<Value> {
    let (text, _) = folder.state()?;
    serde_json::from_str(&text).context("reading the state")
}

/// Says which changes were not captured, and how many were captured more than once; answers how many of the first there are. After an
/// upgrade from the state `before`, an error if one was repeated that the declared rewind does not explain.
fn compare(folder: &Folder, account: &Account, before: Option<&Value>) -> Result<usize> {
    let mut missing = 0;
    for (resource, kind) in RESOURCES {
        let path = folder.path.join(format!("out/demo/{resource}.jsonl"));
        let outcome = Outcome::of(&captured(&path)?, &account.truth(kind)?);
        println!(
            "{resource:<9} {} changes missing, {} captured more than once",
            outcome.missed.len(),
            outcome.repeated.len()
        );
        for (id, at) in &outcome.missed {
            println!("          {id} of {at} is missing");
        }
        missing += outcome.missed.len();
        if let Some(before) = before {
            let cursor = before.pointer(&format!("/bindingStateV1/{resource}/inc/cursor"));
            let cursor = cursor.and_then(Value::as_str);
            let cursor = cursor.context("the first release has one cursor")?;
            explain(&outcome.repeated, cursor)?;
        }
    }
    Ok(missing)
}

/// Sees that what was captured more than once was changed at most so long before the cursor as the migration declares.
fn explain(repeated: &[Version], cursor: &str) -> Result<()> {
    let time = |text: &str| text.parse::<jiff::Timestamp>();
    let from = time(cursor)? - LAG;
    for (id, at) in repeated {
        if time(at)? <= from {
            bail!("{id} of {at} was captured again, and is older than the declared rewind");
        }
    }
    match repeated.len() {
        0 => {}
        count => println!(
            "          all {count} of these are later than {from}: six hours before the cursor of {cursor}"
        ),
    }
    Ok(())
}
