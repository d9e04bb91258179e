//! When a member is left out: it has its default, and no peer demands that it be written.

use serde_json::value::RawValue;

/// Whether an integer has its default.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it by reference"
)]
pub(crate) fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Whether a boolean has its default.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it by reference"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// The JSON text `{}`: what an absent state or Spec configuration reads as.
pub(crate) fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("`{}` is JSON")
}
