//! Messages that are JSON text here, to the protobuf wire and back, by their tables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::{Fault, Within};
use super::tables::{Field, Kind, Message};
use super::wire::{
    Fields, Wire, put_boolean, put_bytes, put_double, put_message, put_number, put_text,
};
use crate::read;

/// The JSON text of a message, compact, its members in the order of their tags.
pub(super) fn decode(message: &'static Message, bytes: &[u8]) -> Result<Box<RawValue>, Fault> {
    let text = object(message, bytes)?;
    Ok(RawValue::from_string(text).expect("an object of JSON values is JSON"))
}

fn object(message: &'static Message, bytes: &[u8]) -> Result<String, Fault> {
    let mut values: BTreeMap<u32, Vec<Wire<'_>>> = BTreeMap::new();
    let mut fields = Fields::new(bytes, &[]);
    while let Some((tag, value)) = fields.next()? {
        values.entry(tag).or_default().push(value);
    }
    let mut text = String::from("{");
    for field in message.fields {
        if let Some(values) = values.get(&field.tag)
            && let Some(value) = json_of(field, values).within(field.name)?
        {
            if text.len() > 1 {
                text.push(',');
            }
            push_member(field.name, &value, &mut text);
        }
    }
    text.push('}');
    Ok(text)
}

/// The JSON value of a field that came this often, which is at least once. None for a default.
fn json_of(field: &Field, values: &[Wire<'_>]) -> Result<Option<String>, Fault> {
    let list = |item: &dyn Fn(Wire<'_>) -> Result<String, Fault>| {
        let items: Result<Vec<_>, _> = values.iter().map(|value| item(*value)).collect();
        Ok(Some(format!("[{}]", items?.join(","))))
    };
    let Some(last) = values.last().copied() else {
        return Ok(None);
    };
    let is_list = matches!(
        field.kind,
        Kind::Texts | Kind::Jsons | Kind::JsonMap | Kind::Messages(_)
    );
    if values.len() > 1 && !is_list {
        return Err(Fault::wire("a member that is given twice"));
    }
    Ok(match field.kind {
        Kind::Text => Some(last.text()?)
            .filter(|text| !text.is_empty())
            .map(quoted),
        Kind::Boolean => last.boolean()?.then(|| "true".to_owned()),
        Kind::Uint32 => Some(last.uint32()?)
            .filter(|value| *value != 0)
            .map(|value| value.to_string()),
        Kind::Int64 => Some(last.int64()?)
            .filter(|value| *value != 0)
            .map(|value| format!("\"{value}\"")),
        Kind::Double => double(last.double()?),
        Kind::Enum(names) => {
            let number = last.uint32()?;
            let name = names.iter().find(|(of, _)| *of == number);
            match (number, name) {
                (0, _) => None,
                (_, Some((_, name))) => Some(quoted(name)),
                (_, None) => Some(number.to_string()), // A newer one: kept as what it is.
            }
        }
        Kind::Json => Some(json_text(last.bytes()?)?.get().to_owned()),
        Kind::Duration => Some(quoted(&duration(last.bytes()?)?)),
        Kind::Message(message) => Some(object(message, last.bytes()?)?),
        Kind::Texts => return list(&|value| value.text().map(quoted)),
        Kind::Jsons => return list(&|value| Ok(json_text(value.bytes()?)?.get().to_owned())),
        Kind::Messages(message) => return list(&|value| object(message, value.bytes()?)),
        Kind::JsonMap => Some(map(values)?),
    })
}

fn push_member(name: &str, value: &str, out: &mut String) {
    out.push_str(&quoted(name));
    out.push(':');
    out.push_str(value);
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// Infinities and what is no number have names, as everywhere in protobuf's JSON.
fn double(value: f64) -> Option<String> {
    if value == 0.0 && value.is_sign_positive() {
        return None;
    }
    Some(if value.is_nan() {
        "\"NaN\"".to_owned()
    } else if value.is_infinite() {
        quoted(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        serde_json::to_string(&value).expect("a finite number is JSON")
    })
}

/// Entries are messages of a key and a value. A key that comes again replaces the one before, as in every map.
fn map(entries: &[Wire<'_>]) -> Result<String, Fault> {
    let mut members = BTreeMap::new();
    for entry in entries {
        let (mut key, mut value) = ("", None);
        let mut fields = Fields::new(entry.bytes()?, &[1, 2]);
        while let Some((tag, wire)) = fields.next()? {
            match tag {
                1 => key = wire.text()?,
                2 => value = Some(json_text(wire.bytes()?)?),
                _ => {}
            }
        }
        members.insert(key, value.ok_or(Fault::missing("value"))?);
    }
    let mut text = String::from("{");
    for (key, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        push_member(key, value.get(), &mut text);
    }
    text.push('}');
    Ok(text)
}

/// JSON text, checked; space around it is left out.
pub(super) fn json_text(bytes: &[u8]) -> Result<&RawValue, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::not_utf8())?;
    serde_json::from_str(text).map_err(|error| Fault::not_json(&error))
}

/// `google.protobuf.Duration` as seconds, with as many decimals in groups of three as there must be.
fn duration(bytes: &[u8]) -> Result<String, Fault> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut fields = Fields::new(bytes, &[1, 2]);
    while let Some((tag, wire)) = fields.next()? {
        match tag {
            1 => seconds = wire.int64()?,
            2 => nanos = wire.int64()?,
            _ => {}
        }
    }
    let is_one = nanos.unsigned_abs() < NANOS
        && seconds.unsigned_abs() <= MAX_SECONDS
        && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0));
    if !is_one {
        return Err(Fault::shape("expected a duration"));
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let mut fraction = format!("{:09}", nanos.unsigned_abs());
    while fraction.ends_with("000") {
        fraction.truncate(fraction.len() - 3);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!(
        "{sign}{}{point}{fraction}s",
        seconds.unsigned_abs()
    ))
}

const NANOS: u64 = 1_000_000_000;

/// 10,000 years: the most that protobuf's durations have.
const MAX_SECONDS: u64 = 315_576_000_000;

/// Seconds and nanoseconds, of the same sign.
fn parse_duration(text: &str) -> Option<(i64, i64)> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, number),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    (seconds.unsigned_abs() <= MAX_SECONDS).then_some((sign * seconds, sign * nanos))
}

/// Appends the fields of a message that is JSON text here. Members that the table has not are left out.
pub(super) fn encode(
    message: &'static Message,
    json: &RawValue,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = parse(json, "an object")?;
    for field in message.fields {
        // Names may be the protocol's own or those of its JSON.
        let found = members.get(field.name);
        let found = found.or_else(|| members.get(snake_case(field.name).as_str()));
        if let Some(value) = found.filter(|value| value.get() != "null" || is_json(field.kind)) {
            put_field(field, value, out).within(field.name)?;
        }
    }
    Ok(())
}

fn is_json(kind: Kind) -> bool {
    matches!(kind, Kind::Json)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn put_field(field: &Field, value: &RawValue, out: &mut Vec<u8>) -> Result<(), Fault> {
    let tag = field.tag;
    match field.kind {
        Kind::Text => put_text(tag, &parse::<String>(value, "a string")?, out),
        Kind::Boolean => put_boolean(tag, parse(value, "a boolean")?, out),
        Kind::Uint32 => {
            let Uint32(number) = parse(value, "an integer from 0 to 4294967295")?;
            put_number(tag, u64::from(number), out);
        }
        Kind::Int64 => {
            let number: i64 = match parse(value, "an integer, or a string of one")? {
                NumberOrText::Number(number) => number.as_i64(),
                NumberOrText::Text(text) => text.parse().ok(),
            }
            .ok_or(Fault::shape("expected an integer, or a string of one"))?;
            put_number(tag, number.cast_unsigned(), out);
        }
        Kind::Double => {
            let number = match parse(value, "a number")? {
                NumberOrText::Number(number) => number.as_f64(),
                NumberOrText::Text(text) => text.parse().ok(),
            }
            .ok_or(Fault::shape("expected a number"))?;
            if number != 0.0 || number.is_sign_negative() {
                put_double(tag, number, out);
            }
        }
        Kind::Enum(names) => {
            let number = match parse(value, "a name of the enumeration")? {
                NumberOrText::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
                NumberOrText::Text(text) => {
                    let found = names.iter().find(|(_, name)| *name == text);
                    found.map(|(number, _)| *number)
                }
            }
            .ok_or(Fault::shape("expected a name of the enumeration"))?;
            put_number(tag, u64::from(number), out);
        }
        Kind::Json => put_bytes(tag, value.get().as_bytes(), out),
        Kind::Duration => {
            let text: String = parse(value, "a duration")?;
            let (seconds, nanos) = parse_duration(&text)
                .ok_or(Fault::shape("expected a duration, as in `60s` or `0.250s`"))?;
            put_message(tag, out, |out| {
                put_number(1, seconds.cast_unsigned(), out);
                put_number(2, nanos.cast_unsigned(), out);
            });
        }
        Kind::Message(message) => return put_embedded(tag, message, value, out),
        Kind::Texts => {
            for text in parse::<Vec<String>>(value, "a list of strings")? {
                put_bytes(tag, text.as_bytes(), out);
            }
        }
        Kind::Jsons => {
            for item in parse::<Vec<&RawValue>>(value, "a list")? {
                put_bytes(tag, item.get().as_bytes(), out);
            }
        }
        Kind::Messages(message) => {
            let items: Vec<&RawValue> = parse(value, "a list")?;
            for (index, item) in items.into_iter().enumerate() {
                put_embedded(tag, message, item, out)
                    .map_err(|fault| fault.within_item("", index))?;
            }
        }
        Kind::JsonMap => {
            let members: BTreeMap<Cow<'_, str>, &RawValue> = parse(value, "an object")?;
            for (key, value) in members {
                put_message(tag, out, |out| {
                    put_text(1, &key, out);
                    put_bytes(2, value.get().as_bytes(), out);
                });
            }
        }
    }
    Ok(())
}

/// Appends a message that is JSON text here as a field of another.
pub(super) fn put_embedded(
    tag: u32,
    message: &'static Message,
    json: &RawValue,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut outcome = Ok(());
    put_message(tag, out, |out| outcome = encode(message, json, out));
    outcome
}

/// Never tells what was there instead.
fn parse<'a, T: Deserialize<'a>>(json: &'a RawValue, expected: &str) -> Result<T, Fault> {
    serde_json::from_str(json.get()).map_err(|_| Fault::shape(format!("expected {expected}")))
}

#[derive(Deserialize)]
struct Uint32(#[serde(deserialize_with = "read::uint32")] u32);

enum NumberOrText {
    Number(serde_json::Number),
    Text(String),
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => Ok(Self::Number(number)),
            serde_json::Value::String(text) => Ok(Self::Text(text)),
            _ => Err(serde::de::Error::custom("neither a number nor a string")),
        }
    }
}
