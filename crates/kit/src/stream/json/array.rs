//! The elements of an array at a path, and what surrounds it.

use simdutf8::compat::from_utf8;

use super::pointer::Pointer;
use super::scan::{Scanner, after_blanks};
use super::splitter::{Find, Step, not_utf8};
use super::{JsonError, MAX_ITEM_BYTES, Place};

/// The elements of an array in one document.
///
/// The containers on the path are walked through one token at a time; an element, a name or a value beside the path is the
/// scanner's work. What is no element is kept, without the white space between its tokens.
pub struct Array {
    path: Pointer,
    at: At,
    /// The containers on the path that are open, the document first.
    containers: Vec<Container>,
    scanner: Scanner,
    /// Elements that have ended.
    count: u64,
    absence: Option<Absence>,
    is_absence_allowed: bool,
    around: Vec<u8>,
    /// Where in `around`, and in the input, the name or value begins that is being read.
    token: (usize, u64),
    max_remainder_bytes: usize,
}

/// What is expected next, or is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// A value that is on the path or is not.
    Value {
        is_on_path: bool,
    },
    /// Right after the `[` of an array on the path.
    FirstValue,
    FirstName,
    Name,
    WithinName,
    Colon {
        is_on_path: bool,
    },
    WithinValue,
    AfterValue,
    FirstElement,
    Element,
    WithinElement,
    AfterElement,
    /// After the document.
    End,
}

/// An object or an array on the path.
struct Container {
    is_object: bool,
    /// The index of the value that is read, of an array.
    index: u64,
    /// Whether what the path leads to was met.
    is_met: bool,
}

/// Why there was no array.
#[derive(Clone, Copy)]
enum Absence {
    Missing,
    Null { depth: usize },
}

impl Array {
    pub(super) fn new(path: Pointer) -> Self {
        Self {
            path,
            at: At::Value { is_on_path: true },
            containers: Vec::new(),
            scanner: Scanner::new(0),
            count: 0,
            absence: Some(Absence::Missing),
            is_absence_allowed: false,
            around: Vec::new(),
            token: (0, 0),
            max_remainder_bytes: MAX_ITEM_BYTES,
        }
    }

    pub(super) fn or_absent(&mut self) {
        self.is_absence_allowed = true;
    }

    pub(super) fn max_remainder_bytes(&mut self, bytes: usize) {
        self.max_remainder_bytes = bytes;
    }

    /// The document less its elements, as far as it was read.
    pub(super) fn around(&self) -> &str {
        from_utf8(&self.around).expect("each name and value was checked when it ended")
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        if self.around.len() + bytes.len() > self.max_remainder_bytes {
            return Err(JsonError::TooLarge {
                limit: self.max_remainder_bytes,
                place: Place::Around,
                allow: "max_remainder_bytes",
            });
        }
        self.around.extend_from_slice(bytes);
        Ok(())
    }

    /// Begins a name or a value around the array.
    fn begin(&mut self, at: At, offset: u64) {
        self.at = at;
        self.token = (self.around.len(), offset);
        self.scanner = Scanner::new(self.containers.len());
    }

    /// Reads on in an element, a name or a value. Its end, if it is there.
    fn scan(&mut self, bytes: &[u8], offset: u64) -> Result<Option<usize>, JsonError> {
        self.scanner
            .scan(bytes)
            .map_err(|fault| self.syntax(fault.problem, offset + fault.at as u64))
    }

    /// As [`scan`](Self::scan), and keeps what was read. Whether it has ended.
    fn scan_around(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        offset: u64,
    ) -> Result<bool, JsonError> {
        let rest = &bytes[*at..];
        let end = self.scan(rest, offset + *at as u64)?;
        let read = end.unwrap_or(rest.len());
        self.keep(&rest[..read])?;
        *at += read;
        if end.is_some() {
            from_utf8(&self.around[self.token.0..])
                .map_err(|error| not_utf8(error, self.token.1, Place::Around))?;
        }
        Ok(end.is_some())
    }

    fn syntax(&self, problem: &'static str, offset: u64) -> JsonError {
        JsonError::Syntax {
            problem,
            offset,
            place: self.place(),
        }
    }

    /// The first byte of a value on the path. Whether it was taken: it is of a container.
    fn value_on_path(&mut self, first: u8, offset: u64) -> Result<bool, JsonError> {
        let depth = self.containers.len();
        let is_end_of_path = depth == self.path.len();
        let found = match first {
            b'[' if is_end_of_path => {
                self.absence = None;
                self.scanner = Scanner::new(0);
                self.at = At::FirstElement;
                return Ok(true);
            }
            b'{' | b'[' if !is_end_of_path => {
                let is_object = first == b'{';
                self.containers.push(Container {
                    is_object,
                    index: 0,
                    is_met: false,
                });
                self.at = if is_object {
                    At::FirstName
                } else {
                    At::FirstValue
                };
                return Ok(true);
            }
            b'n' => {
                self.absence = Some(Absence::Null { depth });
                self.begin(At::WithinValue, offset);
                return Ok(false);
            }
            b'{' => "an object",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'-' | b'0'..=b'9' => "a number",
            _ => return Err(self.syntax("a value is expected", offset)),
        };
        Err(JsonError::NotAnArray {
            path: self.path.as_str().to_owned(),
            pointer: self.path.prefix(depth).to_owned(),
            found,
        })
    }

    /// A name has ended: whether it is the path's.
    fn is_on_path(&mut self) -> Result<bool, JsonError> {
        let depth = self.containers.len() - 1;
        let token = self.path.token(depth);
        if !token.is_name(&self.around[self.token.0..]) {
            return Ok(false);
        }
        self.meet()
    }

    /// An element of an array on the path begins: whether it is the path's.
    fn is_element_on_path(&mut self) -> Result<bool, JsonError> {
        let depth = self.containers.len() - 1;
        if !self
            .path
            .token(depth)
            .is_index(self.containers[depth].index)
        {
            return Ok(false);
        }
        self.meet()
    }

    fn meet(&mut self) -> Result<bool, JsonError> {
        let depth = self.containers.len();
        let container = self
            .containers
            .last_mut()
            .expect("a name is in a container");
        if container.is_met {
            return Err(JsonError::Duplicate {
                pointer: self.path.prefix(depth).to_owned(),
                offset: self.token.1,
            });
        }
        container.is_met = true;
        Ok(true)
    }

    /// A value around the array, or the array itself, has ended.
    fn after_value(&mut self) {
        self.at = if self.containers.is_empty() {
            At::End
        } else {
            At::AfterValue
        };
    }

    /// A container on the path has ended.
    fn close(&mut self) {
        self.containers.pop();
        self.after_value();
    }

    /// The next byte of what stands between elements, names and values, and is no white space. Whether it was taken: otherwise
    /// one of those begins with it.
    fn step(&mut self, byte: u8, offset: u64) -> Result<bool, JsonError> {
        let is_in_object = self.containers.last().is_some_and(|last| last.is_object);
        match (self.at, byte) {
            (At::FirstElement | At::AfterElement, b']') => self.after_value(),
            (At::FirstElement | At::Element, _) => {
                self.at = At::WithinElement;
                return Ok(false);
            }
            (At::AfterElement, b',') => {
                self.at = At::Element;
                return Ok(true); // And is not kept, as the elements are not.
            }
            (At::FirstName | At::Name, b'"') => {
                self.begin(At::WithinName, offset);
                return Ok(false);
            }
            (At::Colon { is_on_path }, b':') => self.at = At::Value { is_on_path },
            (At::FirstName, b'}') | (At::FirstValue, b']') => self.close(),
            (At::FirstValue, _) => {
                let is_on_path = self.is_element_on_path()?;
                self.at = At::Value { is_on_path };
                return Ok(false);
            }
            (At::Value { is_on_path: true }, _) => {
                if !self.value_on_path(byte, offset)? {
                    return Ok(false);
                }
            }
            (At::Value { is_on_path: false }, _) => {
                self.begin(At::WithinValue, offset);
                return Ok(false);
            }
            (At::AfterValue, b',') if is_in_object => self.at = At::Name,
            (At::AfterValue, b',') => {
                let container = self.containers.last_mut().expect("the value is in one");
                container.index += 1;
                let is_on_path = self.is_element_on_path()?;
                self.at = At::Value { is_on_path };
            }
            (At::AfterValue, b'}') if is_in_object => self.close(),
            (At::AfterValue, b']') if !is_in_object => self.close(),
            (at, _) => return Err(self.syntax(expected(at, is_in_object), offset)),
        }
        self.keep(&[byte])?;
        Ok(true)
    }
}

/// What there should have been.
fn expected(at: At, is_in_object: bool) -> &'static str {
    match at {
        At::FirstName | At::Name => "a name in quotes is expected",
        At::Colon { .. } => "a colon is expected",
        At::AfterValue if is_in_object => "a comma or `}` is expected",
        At::AfterValue | At::AfterElement => "a comma or `]` is expected",
        At::End => "something follows the document",
        _ => "a value is expected",
    }
}

impl Find for Array {
    fn find(&mut self, chunk: &[u8], offset: u64) -> Result<Step, JsonError> {
        let mut at = 0;
        loop {
            match self.at {
                At::WithinElement => {
                    let Some(length) = self.scan(&chunk[at..], offset + at as u64)? else {
                        return Ok(Step::More { item: Some(at) });
                    };
                    self.at = At::AfterElement;
                    self.count += 1;
                    return Ok(Step::Item {
                        start: at,
                        end: at + length,
                    });
                }
                At::WithinName | At::WithinValue if at == chunk.len() => {
                    return Ok(Step::More { item: None });
                }
                At::WithinName => {
                    if self.scan_around(chunk, &mut at, offset)? {
                        let is_on_path = self.is_on_path()?;
                        self.at = At::Colon { is_on_path };
                    }
                }
                At::WithinValue => {
                    if self.scan_around(chunk, &mut at, offset)? {
                        self.after_value();
                    }
                }
                _ => {
                    at = after_blanks(chunk, at);
                    let Some(&byte) = chunk.get(at) else {
                        return Ok(Step::More { item: None });
                    };
                    at += usize::from(self.step(byte, offset + at as u64)?);
                }
            }
        }
    }

    fn end(&mut self, _: bool, offset: u64) -> Result<bool, JsonError> {
        if self.at != At::End {
            let place = self.place();
            return Err(JsonError::Truncated { offset, place });
        }
        let path = || self.path.as_str().to_owned();
        match self.absence {
            Some(Absence::Missing) if !self.is_absence_allowed => {
                Err(JsonError::Missing { path: path() })
            }
            Some(Absence::Null { depth }) if !self.is_absence_allowed => Err(JsonError::Null {
                path: path(),
                pointer: self.path.prefix(depth).to_owned(),
            }),
            _ => Ok(false),
        }
    }

    fn place(&self) -> Place {
        match self.at {
            At::FirstElement | At::Element | At::WithinElement => Place::Element(self.count),
            At::AfterElement => Place::After(self.count.saturating_sub(1)),
            _ => Place::Around,
        }
    }

    fn item(&self) -> Place {
        Place::Element(self.count.saturating_sub(1))
    }
}
