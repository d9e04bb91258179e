//! Charts.
/// x
pub fn chart() {}
