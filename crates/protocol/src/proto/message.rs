//! Reading a message field by field, and the kinds of field that several messages have.

use serde_json::value::RawValue;

use super::embedded::json_text;
use super::fault::Fault;
use super::wire::Wire;
use crate::flow::ConnectorType;

/// Numbers of `ConnectorType` on the wire; 0 is an absent one.
const IMAGE: u32 = 7;
const LOCAL: u32 = 8;

/// Reads the fields of a message into places, in the manner of a table: tag, name, place, value. Those of `many` append to a list;
/// those of `once` may come once. Other tags are stepped over.
macro_rules! read_fields {
    (
        $message:expr, $value:ident;
        once { $($tag:literal $name:literal => $place:expr, $read:expr;)* }
        many { $($list_tag:literal $list_name:literal => $list:expr, $read_item:expr;)* }
    ) => {{
        let mut fields = $crate::proto::wire::Fields::new($message, &[$($tag),*]);
        while let Some((tag, $value)) = fields.next()? {
            match tag {
                $($tag => $place = $crate::proto::fault::Within::within($read, $name)?,)*
                $($list_tag => {
                    let index = $list.len();
                    $list.push($crate::proto::fault::Within::within_item($read_item, $list_name, index)?);
                })*
                _ => {}
            }
        }
    }};
}

pub(super) use read_fields;

/// JSON text that may be absent, as an empty one is.
pub(super) fn raw(value: Wire<'_>) -> Result<Option<Box<RawValue>>, Fault> {
    Ok(lent(value)?.map(ToOwned::to_owned))
}

/// The same, lent by the message.
pub(super) fn lent<'a>(value: Wire<'a>) -> Result<Option<&'a RawValue>, Fault> {
    match value.bytes()? {
        b"" => Ok(None),
        bytes => json_text(bytes).map(Some),
    }
}

/// JSON text where `null` is absent, too.
pub(super) fn set_raw(value: Wire<'_>) -> Result<Option<Box<RawValue>>, Fault> {
    Ok(raw(value)?.filter(|text| text.get() != "null"))
}

pub(super) fn text(value: Wire<'_>) -> Result<String, Fault> {
    value.text().map(str::to_owned)
}

pub(super) fn connector_type(value: Wire<'_>) -> Result<ConnectorType, Fault> {
    match value.uint32()? {
        0 | IMAGE => Ok(ConnectorType::Image),
        LOCAL => Ok(ConnectorType::Local),
        _ => Err(Fault::shape("expected `IMAGE` (7) or `LOCAL` (8)")),
    }
}

pub(super) fn number_of(connector_type: ConnectorType) -> u64 {
    u64::from(match connector_type {
        ConnectorType::Image => IMAGE,
        ConnectorType::Local => LOCAL,
    })
}

/// A member that must be there.
pub(super) fn required<T>(member: Option<T>, name: &'static str) -> Result<T, Fault> {
    member.ok_or_else(|| Fault::missing(name))
}
