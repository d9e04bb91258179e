//! Scalars of JSON, compared by what they are worth.

use std::borrow::Cow;

use serde_json::Value;

/// A scalar in the one form that equal ones share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    /// Sign, digits without zeros at either end, and the power of ten: exact, whatever their number.
    Number(String),
    String(String),
}

impl Scalar {
    /// None for an array, an object, or a number beyond all bounds.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Self::parse(&value.to_string())
    }

    /// The scalar that this JSON text is. None for an array, an object, a number beyond all bounds, or what is no JSON.
    pub(crate) fn parse(json: &str) -> Option<Self> {
        let json = json.trim_ascii();
        match json.as_bytes().first()? {
            b'n' => Some(Scalar::Null),
            b't' => Some(Scalar::Bool(true)),
            b'f' => Some(Scalar::Bool(false)),
            b'"' => serde_json::from_str(json).ok().map(Scalar::String),
            b'-' | b'0'..=b'9' => number(json).map(Scalar::Number),
            _ => None,
        }
    }

    /// Appends it, so that different sequences of scalars are different bytes.
    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        let (tag, text): (u8, Cow<'_, str>) = match self {
            Scalar::Null => (0, "".into()),
            Scalar::Bool(false) => (1, "".into()),
            Scalar::Bool(true) => (2, "".into()),
            Scalar::Number(text) => (3, text.into()),
            Scalar::String(text) => (4, text.into()),
        };
        key.push(tag);
        write_part(key, text.as_bytes());
    }
}

/// Appends bytes with their length before them.
pub(crate) fn write_part(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&(part.len() as u64).to_le_bytes());
    key.extend_from_slice(part);
}

/// A number of JSON in its one form, such as `-15e-1`. None if its exponent is beyond all bounds.
fn number(text: &str) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    let zeros = (digits.len() - significant.len()) as i64;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let exponent = exponent.checked_sub(fraction.len() as i64)?;
    let exponent = exponent.checked_add(zeros)?;
    Some(format!("{sign}{significant}e{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_that_are_worth_the_same() {
        for same in [
            &["1", "1.0", "1e0", "10E-1", "0.1e+1", " 1 "][..],
            &["0", "-0", "0.000", "0e99", "-0.0e-7"],
            &["-1.5", "-15e-1", "-0.15E1"],
            &["1000", "1e3", "1.000e3"],
            &["9007199254740993"],
            &["9007199254740992", "9007199254740992.0"],
            &["0.1"],
            &["1e400", "10e399"],
        ]
        .windows(2)
        {
            let parsed = |text: &&str| Scalar::parse(text).unwrap();
            let [these, others] = same else {
                unreachable!("windows of two")
            };
            for text in *these {
                assert_eq!(parsed(text), parsed(&these[0]), "{text}");
                assert!(others.iter().all(|other| parsed(other) != parsed(text)));
            }
        }
        assert_eq!(Scalar::parse("1e99999999999999999999"), None);
    }

    #[test]
    fn other_scalars_are_equal_that_are_the_same_text() {
        assert_eq!(
            Scalar::parse(r#""caf\u00e9""#),
            Scalar::of(&Value::from("café"))
        );
        assert_ne!(Scalar::parse("1"), Scalar::parse(r#""1""#));
        assert_ne!(Scalar::parse("null"), Scalar::parse("false"));
        assert_eq!(Scalar::parse("[1]"), None);
        assert_eq!(Scalar::parse("{}"), None);
    }

    #[test]
    fn no_two_sequences_have_the_same_key() {
        let key = |scalars: &[&str]| {
            let mut key = Vec::new();
            for json in scalars {
                Scalar::parse(json).unwrap().write_key(&mut key);
            }
            key
        };
        let all = [
            key(&[r#""a""#, r#""b""#]),
            key(&[r#""ab""#, r#""""#]),
            key(&[r#""""#, r#""ab""#]),
            key(&["true"]),
            key(&["false"]),
            key(&["null"]),
            key(&["1"]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
