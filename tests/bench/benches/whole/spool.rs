//! One checkpoint of 5 GiB, which waits in a file.

use std::process::Command;

use serde_json::json;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Messages, Teller, count_output, to_pipe};
use crate::open::{SPEC, open};
use crate::table::{Row, print};

/// 5 GiB with their envelopes.
const DOCUMENTS: u64 = 2_000_000;

const BYTES: u64 = 2_500;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let config = json!({ "mode": "spool", "documents": DOCUMENTS, "bytes": BYTES });
    let requests = [SPEC, &open(&config, &["documents".into()], &json!({}))].concat();
    let connector = || Command::new(CONNECTOR);
    let floor = || {
        let mut command = Command::new(FLOOR);
        command.args(["spool", &DOCUMENTS.to_string(), &BYTES.to_string()]);
        command
    };
    let output = count_output(
        &mut connector(),
        &requests,
        Teller::Reports,
        Messages::Lines,
    )?;
    // Besides: `Spec`, `Opened`, the first state, and the end of the backfill.
    if output.messages != DOCUMENTS + 4 {
        return Err(format!("the connector wrote {} lines", output.messages).into());
    }
    let mut rows = [
        Row::new("floor, into a file and out of it", None),
        Row::new("kit", Some(0)),
    ];
    for _ in 0..rounds {
        rows[0]
            .samples
            .push(to_pipe(&mut floor(), b"", Teller::Reports)?.0);
        rows[1]
            .samples
            .push(to_pipe(&mut connector(), &requests, Teller::Reports)?.0);
    }
    print(
        &format!(
            "A checkpoint of {:.1} GiB",
            output.bytes as f64 / (1_u64 << 30) as f64
        ),
        DOCUMENTS,
        &rows,
    );
    Ok(())
}
