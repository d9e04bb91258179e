//! Values that follow one another.

use super::scan::{Scanner, after_blanks};
use super::splitter::{Find, Step};
use super::{JsonError, Place};

/// Values one after the other.
pub struct Values {
    scanner: Scanner,
    /// Values that have ended.
    count: u64,
    /// Whether a value is being read.
    is_within: bool,
    /// Whether the value before has no end of its own, so that something must separate it from what follows.
    is_open_ended: bool,
}

impl Values {
    pub(super) fn new() -> Self {
        Self {
            scanner: Scanner::new(0),
            count: 0,
            is_within: false,
            is_open_ended: false,
        }
    }

    fn syntax(&self, problem: &'static str, offset: u64) -> JsonError {
        JsonError::Syntax {
            problem,
            offset,
            place: self.place(),
        }
    }
}

impl Find for Values {
    fn find(&mut self, chunk: &[u8], offset: u64) -> Result<Step, JsonError> {
        let mut start = 0;
        if !self.is_within {
            start = after_blanks(chunk, 0);
            let Some(&first) = chunk.get(start) else {
                self.is_open_ended &= start == 0;
                return Ok(Step::More { item: None });
            };
            let is_bare = !matches!(first, b'{' | b'[' | b'"');
            if self.is_open_ended && start == 0 && is_bare {
                return Err(self.syntax("two values have nothing between them", offset));
            }
            self.is_open_ended = is_bare;
            self.is_within = true;
        }
        match self.scanner.scan(&chunk[start..]) {
            Ok(Some(length)) => {
                self.is_within = false;
                self.count += 1;
                Ok(Step::Item {
                    start,
                    end: start + length,
                })
            }
            Ok(None) => Ok(Step::More { item: Some(start) }),
            Err(fault) => Err(self.syntax(fault.problem, offset + (start + fault.at) as u64)),
        }
    }

    fn end(&mut self, is_begun: bool, offset: u64) -> Result<bool, JsonError> {
        if is_begun && !self.scanner.is_whole_number() {
            let place = self.place();
            return Err(JsonError::Truncated { offset, place });
        }
        self.count += u64::from(is_begun);
        self.is_within = false;
        Ok(is_begun)
    }

    fn place(&self) -> Place {
        Place::Value(self.count)
    }

    fn item(&self) -> Place {
        Place::Value(self.count.saturating_sub(1))
    }
}
