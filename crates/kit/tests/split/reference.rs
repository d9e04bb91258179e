//! What a full parser reads, with the whole text in memory.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What a document and a path come to.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Array {
        elements: Vec<Value>,
        /// The document with the array empty.
        around: Value,
    },
    /// Nothing is at the path, or `null` is there or on the way.
    Absent,
    NotAnArray,
    Duplicate,
    NotJson,
    /// Beyond what the parser reads: a number that is too large for a `Value`, or more depth, which it counts from the document.
    Unknown,
}

/// What was met on the path. Of several, the first counts: a splitter cannot know what follows.
#[derive(Default)]
struct Met {
    elements: Option<Vec<Value>>,
    fault: Option<Outcome>,
}

const MARK: &[u8] = "\u{feff}".as_bytes();

/// What a text comes to at a path of these tokens.
pub(crate) fn elements<S: AsRef<str>>(tokens: &[S], text: &[u8]) -> Outcome {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let mut met = Met::default();
    let mut parser = serde_json::Deserializer::from_slice(text);
    let walk = Walk {
        tokens,
        met: &mut met,
    };
    let parsed = walk.deserialize(&mut parser);
    let whole = parsed.and_then(|around| parser.end().map(|()| around));
    match (met.fault, whole, met.elements) {
        (Some(fault), ..) => fault,
        (None, Err(error), _) if is_beyond(&error) => Outcome::Unknown,
        (None, Err(_), _) => Outcome::NotJson,
        (None, Ok(around), Some(elements)) => Outcome::Array { elements, around },
        (None, Ok(_), None) => Outcome::Absent,
    }
}

fn is_beyond(error: &serde_json::Error) -> bool {
    let problem = error.to_string();
    problem.starts_with("number out of range") || problem.starts_with("recursion limit")
}

/// An index as RFC 6901 writes it.
fn index(token: &str) -> Option<usize> {
    let index: usize = token.parse().ok()?;
    (index.to_string() == token).then_some(index)
}

/// The values of a text that has one on each line; `None` if one is none.
pub(crate) fn lines(text: &[u8]) -> Option<Vec<Value>> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n');
    let is_blank = |line: &&[u8]| line.iter().all(|byte| b" \r\t".contains(byte));
    lines
        .filter(|line| !is_blank(line))
        .map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The values that follow one another; `None` if one is none.
pub(crate) fn values(text: &[u8]) -> Option<Vec<Value>> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let values = serde_json::Deserializer::from_slice(text).into_iter();
    values.collect::<Result<_, _>>().ok()
}

/// Reads a value at the beginning of these tokens' path.
struct Walk<'a, S> {
    tokens: &'a [S],
    met: &'a mut Met,
}

impl<S: AsRef<str>> Walk<'_, S> {
    /// It is neither an array at the end of the path nor on the way to one.
    fn scalar<E: Error>(self, value: Value) -> Result<Value, E> {
        if value.is_null() {
            return Ok(value);
        }
        self.fault(Outcome::NotAnArray)
    }

    fn fault<T, E: Error>(self, fault: Outcome) -> Result<T, E> {
        self.met.fault = Some(fault);
        Err(E::custom("what follows is not looked at"))
    }
}

impl<'de, S: AsRef<str>> DeserializeSeed<'de> for Walk<'_, S> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, S: AsRef<str>> Visitor<'de> for Walk<'_, S> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Some((token, rest)) = self.tokens.split_first() else {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element()? {
                elements.push(element);
            }
            self.met.elements = Some(elements);
            return Ok(Value::Array(Vec::new()));
        };
        let mut around = Vec::new();
        loop {
            let next = if index(token.as_ref()) == Some(around.len()) {
                seq.next_element_seed(Walk {
                    tokens: rest,
                    met: self.met,
                })?
            } else {
                seq.next_element()?
            };
            let Some(value) = next else {
                return Ok(Value::Array(around));
            };
            around.push(value);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some((token, rest)) = self.tokens.split_first() else {
            return self.fault(Outcome::NotAnArray);
        };
        let mut around = Map::new();
        let mut is_met = false;
        while let Some(name) = map.next_key::<String>()? {
            let value = if name != token.as_ref() {
                map.next_value()?
            } else if is_met {
                return self.fault(Outcome::Duplicate);
            } else {
                is_met = true;
                map.next_value_seed(Walk {
                    tokens: rest,
                    met: self.met,
                })?
            };
            around.insert(name, value);
        }
        Ok(Value::Object(around))
    }
}
