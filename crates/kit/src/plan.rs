//! `CONNECTOR plan`: what opening a capture would do to its state, without doing it.
//!
//! Standard input holds the `Open` request, standard output receives the plan as JSON. The same code makes the plan as opens the
//! capture, so what is shown is what would be sent. The request is newline JSON, whatever codec the protocol is spoken in: a plan
//! is a command that people use, too.

use std::io::{Read, Write};
use std::process::ExitCode;

use staunch_protocol::json::{Lines, decode_request};
use staunch_protocol::log::Level;
use staunch_protocol::{MAX_REQUEST_BYTES, Request};
use tokio::runtime::Runtime;

use crate::capture::{BoxError, error_chain};
use crate::clock;
use crate::connector::Connector;
use crate::migrate::Purpose;
use crate::{log, open};

pub(crate) const USAGE: &str = "\
usage: CONNECTOR                        serve the capture protocol on standard input and output
       CONNECTOR plan [--ask-source] [--undo STEP]...
                                        read an Open request from standard input, and print what opening
                                        with it would do to the connector state, as JSON
       CONNECTOR plan --probe           say that `plan` is understood, and nothing else

  --ask-source    let a migration ask the source, if it must
  --undo STEP     print what taking this step of a migration back would do, and all behind it";

/// What `plan --probe` prints. A connector that knows nothing of plans, and reads an empty input, prints nothing.
const PROBE: &str = "{\"staunch\":{\"plan\":1}}\n";

/// Answers the `plan` subcommand.
pub(crate) fn main(runtime: &Runtime, connector: &impl Connector, options: &[&str]) -> ExitCode {
    let outcome = match (options, Options::read(options)) {
        (["--probe"], _) => Ok(PROBE.to_owned()),
        (_, Some(options)) => runtime.block_on(plan(connector, std::io::stdin(), &options)),
        (_, None) => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let written = outcome.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::write(&log::record(Level::Error, error_chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// How a plan is asked for.
#[derive(Debug, Default)]
struct Options {
    may_ask_source: bool,
    /// The steps to be undone.
    undo: Vec<String>,
}

impl Options {
    fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--ask-source" => options.may_ask_source = true,
                "--undo" => options.undo.push((*words.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The plan for the `Open` request that `input` holds: `null` if opening would leave the state alone.
async fn plan(
    connector: &impl Connector,
    input: impl Read,
    options: &Options,
) -> Result<String, BoxError> {
    let mut lines = Lines::new(input, MAX_REQUEST_BYTES).accept_unterminated();
    let line = lines
        .next_line()?
        .ok_or("standard input is empty; give it an `open` request")?;
    let Request::Open(mut open) = decode_request(line)? else {
        return Err("standard input holds another request; give it an `open` request".into());
    };
    let migrated = open::migrate(
        connector,
        &mut open,
        Purpose::Look {
            may_ask_source: options.may_ask_source,
        },
        &options.undo,
        clock::now(),
    )
    .await?;
    let mut text = match &migrated.planned {
        None => "null".to_owned(),
        Some(planned) => serde_json::to_string(&planned.plan)?,
    };
    text.push('\n');
    Ok(text)
}
