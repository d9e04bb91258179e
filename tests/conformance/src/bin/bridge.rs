//! Speaks newline JSON on its own side and protobuf frames with the connector that it starts: `bridge CONNECTOR [ARGUMENT]...`
//!
//! The suite's driver knows JSON alone. What it sends that is no request goes on as a frame of those bytes, so that what was
//! malformed stays so. The exit code is the connector's.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::{ChildStdin, Command, ExitCode, Stdio};

use staunch_protocol::{Codec, Messages};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bridge: {error}");
            ExitCode::from(70)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let connector = arguments
        .next()
        .ok_or("which connector? name its program")?;
    let mut connector = Command::new(connector)
        .args(arguments)
        .env(Codec::VARIABLE, Codec::Proto.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let requests = connector.stdin.take().expect("its input is a pipe");
    let responses = connector.stdout.take().expect("its output is a pipe");
    // Left behind when the connector has ended: a read of standard input cannot be cancelled.
    std::thread::spawn(move || forward_requests(requests));

    let mut messages = Messages::responses(Codec::Proto, responses);
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    while let Some(message) = messages.next_message()? {
        line.clear();
        let response = Codec::Proto.decode_response(message)?;
        Codec::Json.encode_response(&response, &mut line)?;
        out.write_all(&line)?;
        out.flush()?;
    }
    let code = connector
        .wait()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Sends on what comes in. Dropping the connector's input at the end of ours closes it.
fn forward_requests(mut requests: ChildStdin) {
    let mut frame = Vec::new();
    for line in io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { return };
        frame.clear();
        let request = Codec::Json.decode_request(&line);
        let encoded = request.map(|request| Codec::Proto.encode_request(&request, &mut frame));
        if !matches!(encoded, Ok(Ok(()))) {
            let length = u32::try_from(line.len()).expect("the driver's lines are short");
            frame.clear();
            frame.extend_from_slice(&length.to_le_bytes());
            frame.extend_from_slice(&line);
        }
        if requests.write_all(&frame).is_err() {
            return; // The connector has ended.
        }
    }
}
