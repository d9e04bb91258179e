//! Numbers, and what a schema says of them. A comparison that `f64` cannot make exactly is answered with "unknown".

use std::cmp::Ordering;

use serde_json::Value;

/// Up to here, every integer is an `f64` too.
const EXACT: i128 = 1 << 53;

/// A number as a document has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Number> {
        let Value::Number(number) = value else {
            return None;
        };
        number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .map(Number::Integer)
            .or_else(|| number.as_f64().map(Number::Float))
    }

    /// In JSON Schema 1.0 is an integer.
    pub(super) fn is_integer(self) -> bool {
        match self {
            Number::Integer(_) => true,
            Number::Float(value) => value.is_finite() && value.fract() == 0.0,
        }
    }

    /// `None` where the two cannot be compared exactly.
    pub(super) fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Integer(a), Number::Float(b)) => exact(a)?.partial_cmp(&b),
            (Number::Float(a), Number::Integer(b)) => a.partial_cmp(&exact(b)?),
        }
    }
}

fn exact(integer: i128) -> Option<f64> {
    (-EXACT..=EXACT)
        .contains(&integer)
        .then_some(integer as f64)
}

/// `minimum`, `maximum` and their exclusive forms.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    limits: Vec<(Number, Side)>,
}

/// On which side of its limit a number must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Bounds {
    pub(super) fn add(&mut self, limit: Number, side: Side) {
        self.limits.push((limit, side));
    }

    /// Whether `number` is certainly within all limits.
    pub(super) fn admit(&self, number: Number) -> bool {
        self.limits.iter().all(|(limit, side)| {
            let Some(order) = number.compare(*limit) else {
                return false;
            };
            match side {
                Side::AtLeast => order.is_ge(),
                Side::AtMost => order.is_le(),
                Side::Above => order.is_gt(),
                Side::Below => order.is_lt(),
            }
        })
    }
}
