//! The name under which a binding's state is kept.

use std::fmt::Write;

/// The state key of a binding: its resource path joined by `/`, percent-encoded, and its backfill counter.
///
/// It outlives the binding's index. Two paths can share a key (`["a/b"]` and `["a","b"]`), and so can a
/// path that ends in `.v1` and another at backfill 1; whoever builds a capture must check.
///
/// # Source
/// Capture protocol, state keys (4.4).
pub fn state_key(resource_path: &[String], backfill: u32) -> String {
    let path = resource_path.join("/");
    let mut key = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '.' | '=') {
            key.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(key, "%{byte:02X}").expect("writing to a string does not fail");
            }
        }
    }
    if backfill != 0 {
        write!(key, ".v{backfill}").expect("writing to a string does not fail");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::state_key;

    #[test]
    fn a_state_key_is_the_escaped_path_and_the_counter() {
        for (path, backfill, expected) in [
            (&["orders"][..], 0, "orders"),
            (&["orders"], 1, "orders.v1"),
            (&["sales", "order items"], 12, "sales%2Forder%20items.v12"),
            (&["100%"], 0, "100%25"),
            (&["_meta+v1.0=ok-"], 0, "_meta+v1.0=ok-"),
            (&["日本"], 0, "日本"),
            (&["naïve", "½", "x~y"], 2, "naïve%2F½%2Fx%7Ey.v2"),
            (&["tab\t\"q\""], 0, "tab%09%22q%22"),
            (&["a/b"], 0, "a%2Fb"),
            (&["a", "b"], 0, "a%2Fb"),
            (&["t.v1"], 0, "t.v1"),
            (&["t"], 1, "t.v1"),
            (&["smile 🙂"], u32::MAX, "smile%20%F0%9F%99%82.v4294967295"),
            (
                &["he!lo৬", "a/part%", "_¾the-=res+."],
                3,
                "he%21lo৬%2Fa%2Fpart%25%2F_¾the-=res+..v3",
            ),
            (&[], 0, ""),
        ] {
            let path: Vec<String> = path.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(state_key(&path, backfill), expected, "{path:?}");
        }
    }
}
