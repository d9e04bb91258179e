//! Whether a body is JSON, as a strict reader sees it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// Hands each element of an array to a function, which may have seen enough.
pub(super) struct Each<F>(pub(super) F);

impl<'de, F: FnMut(&'de RawValue) -> Result<(), ()>> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            (self.0)(element).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

/// A refusal that says where in the body it ceases to be JSON, and nothing of what it says.
pub(super) fn refusal(error: serde_json::Error) -> Refusal {
    not_json(&error, error.line(), error.column())
}

fn not_json(error: &serde_json::Error, line: usize, column: usize) -> Refusal {
    let problem = error.to_string();
    let problem = problem
        .split_once(" at line ")
        .map_or(&*problem, |(problem, _)| problem);
    Refusal::BadBody(format!(
        "the body is not JSON: {problem} at line {line} column {column}"
    ))
}

/// Sees that a part of `body` can be read: no number beyond what a double holds, no half of a surrogate pair, and no more than 127
/// levels of nesting. The syntax alone, by which the part was cut out, allows all of these.
pub(super) fn check(body: &[u8], part: &RawValue) -> Result<(), Refusal> {
    let Err(error) = serde_json::from_str::<Readable>(part.get()) else {
        return Ok(());
    };
    let start = part.get().as_ptr().addr() - body.as_ptr().addr();
    let before = body.get(..start).unwrap_or_default();
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = match error.line() {
        1 => {
            let line_start = before.iter().rposition(|byte| *byte == b'\n');
            error.column() + before.len() - line_start.map_or(0, |at| at + 1)
        }
        _ => error.column(),
    };
    Err(not_json(&error, lines + error.line(), column))
}

/// Any JSON value, of which nothing is kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Readable)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Readable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_unit<E: Error>(self) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Readable, A::Error> {
        while elements.next_element::<Readable>()?.is_some() {}
        Ok(Readable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Readable, A::Error> {
        while members.next_entry::<Readable, Readable>()?.is_some() {}
        Ok(Readable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_strict_reader_would_refuse_is_refused_with_its_place_in_the_body() {
        for (body, part, expected) in [
            (
                r#"[{"a":1e999}]"#,
                r#"{"a":1e999}"#,
                "number out of range at line 1 column 1",
            ),
            (
                "[{},\n {\"a\":\"\\ud800\"}]",
                "{\"a\":\"\\ud800\"}",
                "at line 2 column 1",
            ),
            (
                "[\n\n{\n\"\\udc00\":1}]",
                "{\n\"\\udc00\":1}",
                "at line 4 column ",
            ),
        ] {
            let at = body.find(part).unwrap();
            let cut: &RawValue = serde_json::from_str(&body[at..at + part.len()]).unwrap();
            let Err(Refusal::BadBody(problem)) = check(body.as_bytes(), cut) else {
                panic!("{body} is refused");
            };
            assert!(problem.contains(expected), "{problem}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let cut: &RawValue = serde_json::from_str(&deep).unwrap();
        assert!(check(deep.as_bytes(), cut).is_err());
    }
}
