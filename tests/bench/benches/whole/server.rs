//! A process that is asked by those that are measured.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Error;

/// A server that answers until it is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it is, as the first line of its output says.
    pub(crate) place: String,
}

impl Server {
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Result<Self, Error> {
        let mut process = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut place = String::new();
        BufReader::new(stdout).read_line(&mut place)?;
        let place = place.trim().to_owned();
        Ok(Self { process, place })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
