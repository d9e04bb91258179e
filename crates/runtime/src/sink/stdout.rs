//! Standard output: `["collection", {document}]`, a line for each document, once its transaction is about to be committed.
//!
//! What is written cannot be taken back, and whoever reads it cannot be asked: after a crash between the lines and the commit, those lines come again.

use std::io::{BufWriter, Write as _};

use serde_json::Value;

use super::{Batch, Destination, Record, SinkError, Waiting};
use crate::catalog::Collection;
use crate::crash::point;
use crate::error::RunError;
use crate::store::FileLength;

/// Writes documents to standard output.
pub(super) struct Stdout {
    /// The collection of each table, as JSON.
    pub(super) collections: Vec<String>,
}

impl Destination for Stdout {
    fn prepare(&mut self, collections: &[&Collection]) -> Result<(), SinkError> {
        let names = collections.iter();
        self.collections = names
            .map(|collection| Value::from(collection.name.as_str()).to_string())
            .collect();
        Ok(())
    }

    fn commit(
        &mut self,
        batch: &Batch,
        _: &Record<'_>,
        _: &Waiting<'_>,
    ) -> Result<Vec<FileLength>, RunError> {
        let Batch::Spooled(spool) = batch else {
            unreachable!("documents are spooled for what is no file");
        };
        let failed = |source| SinkError::Io {
            action: "writing to",
            path: "standard output".into(),
            source,
        };
        let mut out = BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
        for table in spool.tables() {
            let collection = &self.collections[table];
            spool.each(table, |document| {
                write!(out, "[{collection},")
                    .and_then(|()| out.write_all(document))
                    .and_then(|()| out.write_all(b"]\n"))
                    .map_err(failed)
            })?;
        }
        out.flush().map_err(failed)?;
        point("sink.after_commit");
        Ok(Vec::new())
    }

    fn sink(&self) -> Option<&str> {
        None
    }

    fn is_certain(&self) -> bool {
        true
    }
}
