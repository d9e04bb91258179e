//! From the shapes of state that were released to today's: a module for each step.

use staunch::state::Chain;

mod split_cursor;

/// The steps, oldest first. Add to the end; a step that was released stays as it is.
pub(crate) fn chain() -> Chain {
    Chain::new().with(split_cursor::SplitCursor)
}
