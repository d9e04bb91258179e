//! Files of newline-delimited JSON. Documents lie in them before they are committed; what counts is the length that the store commits.

use super::{Batch, Destination, Record, SinkError, Waiting};
use crate::catalog::Collection;
use crate::error::RunError;
use crate::files::Mark;
use crate::store::FileLength;

/// Makes files durable.
pub(super) struct JsonLines;

impl Destination for JsonLines {
    fn prepare(&mut self, _: &[&Collection]) -> Result<(), SinkError> {
        Ok(()) // Files are opened where documents go in.
    }

    fn commit(
        &mut self,
        batch: &Batch,
        _: &Record<'_>,
        _: &Waiting<'_>,
    ) -> Result<Vec<FileLength>, RunError> {
        let mark: &Mark = match batch {
            Batch::Files(mark) => mark,
            Batch::Spooled(_) => unreachable!("documents of files are in their files"),
        };
        mark.sync()?;
        Ok(mark.lengths().to_vec())
    }

    fn sink(&self) -> Option<&str> {
        None
    }

    fn is_certain(&self) -> bool {
        true
    }
}
