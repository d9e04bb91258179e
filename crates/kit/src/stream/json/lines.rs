//! Newline-delimited JSON.

use super::scan::{Fault, Scanner, after_blanks, is_blank};
use super::splitter::{Find, Step};
use super::{JsonError, Place};

/// One value on each line.
pub struct Lines {
    /// The line that is read, from one on.
    number: u64,
    /// Whether the input ends with it.
    is_last: bool,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            number: 1,
            is_last: false,
        }
    }
}

impl Find for Lines {
    fn find(&mut self, chunk: &[u8], _: u64) -> Result<Step, JsonError> {
        Ok(match memchr::memchr(b'\n', chunk) {
            Some(newline) => Step::Item {
                start: 0,
                end: newline + 1,
            },
            None => Step::More { item: Some(0) },
        })
    }

    fn accept<'a>(&mut self, line: &'a [u8], offset: u64) -> Result<Option<&'a [u8]>, JsonError> {
        let place = self.place();
        self.number += 1;
        let start = after_blanks(line, 0);
        let Some(last) = line.iter().rposition(|byte| !is_blank(*byte)) else {
            return Ok(None);
        };
        let item = &line[start..=last];
        let offset = offset + start as u64;
        let syntax = |fault: Fault| JsonError::Syntax {
            problem: fault.problem,
            offset: offset + fault.at as u64,
            place,
        };
        let mut scanner = Scanner::new(0);
        match scanner.scan(item).map_err(syntax)? {
            Some(end) if end == item.len() => Ok(Some(item)),
            None if scanner.is_whole_number() => Ok(Some(item)),
            Some(end) => Err(syntax(Fault {
                at: after_blanks(item, end),
                problem: "the line goes on after its value",
            })),
            None if self.is_last => Err(JsonError::Truncated {
                offset: offset + item.len() as u64,
                place,
            }),
            None => Err(syntax(Fault {
                at: item.len(),
                problem: "the line ends before its value does",
            })),
        }
    }

    fn end(&mut self, is_begun: bool, _: u64) -> Result<bool, JsonError> {
        self.is_last = true;
        Ok(is_begun)
    }

    fn place(&self) -> Place {
        Place::Line(self.number)
    }
}
