//! Texts without the secrets that a server may repeat in them.

/// What stands in for a secret.
const HIDDEN: &str = "[hidden]";

/// A secret that is shorter is hidden where it stands alone: as a part of something longer it is a coincidence, most likely.
const LONG_CHARS: usize = 8;

/// One that is shorter than this hides nothing, as any word may be it.
const SHORTEST_CHARS: usize = 3;

/// The text without these secrets, however each of their characters is written: as it is, or as in a URL, a form, JSON (in JSON, in JSON)
/// or HTML.
pub(crate) fn hide<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut secrets: Vec<&str> = secrets.into_iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len())); // One may be a part of another.
    let mut text = text.to_owned();
    for secret in secrets {
        let chars = secret.chars().count();
        if chars >= SHORTEST_CHARS {
            text = hide_one(&text, secret, chars < LONG_CHARS);
        }
    }
    text
}

fn hide_one(text: &str, secret: &str, must_be_alone: bool) -> String {
    let (mut hidden, mut before, mut rest) = (String::new(), None, text);
    while let Some(next) = rest.chars().next() {
        let is_of_word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        let after = without_prefix(rest, secret).filter(|after| {
            !must_be_alone || !is_of_word(before) && !is_of_word(after.chars().next())
        });
        let written = match after {
            Some(_) => HIDDEN,
            None => &rest[..next.len_utf8()],
        };
        hidden.push_str(written);
        before = written.chars().next_back();
        rest = after.unwrap_or(&rest[next.len_utf8()..]);
    }
    hidden
}

/// What comes after the secret, if the text begins with it.
fn without_prefix<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let mut before = None;
    secret.chars().try_fold(text, |text, c| {
        // However many backslashes there are in a row, they were taken with the first.
        let is_taken = c == '\\' && before == Some(c);
        before = Some(c);
        match is_taken {
            true => Some(text),
            false => without_char(text, c),
        }
    })
}

/// What comes after a character, if the text begins with it, however it is written.
fn without_char(text: &str, c: char) -> Option<&str> {
    let in_form = || text.strip_prefix('+').filter(|_| c == ' ');
    let bare = text.trim_start_matches('\\'); // Each time that JSON is put into JSON there are more.
    let is_escaped = bare.len() < text.len();
    // What is longer goes first: `%25` is no more than `%`.
    in_url(text, c)
        .or_else(|| in_html(text, c))
        .or_else(|| (is_escaped && c == '\\').then_some(bare))
        .or_else(|| text.strip_prefix(c))
        .or_else(in_form)
        .or_else(|| is_escaped.then(|| in_json(bare, c))?)
}

fn in_url(text: &str, c: char) -> Option<&str> {
    let mut bytes = [0; 4];
    let bytes = c.encode_utf8(&mut bytes).bytes();
    bytes.into_iter().try_fold(text, |text, byte| {
        let (number, rest) = text.strip_prefix('%')?.split_at_checked(2)?;
        (u8::from_str_radix(number, 16) == Ok(byte)).then_some(rest)
    })
}

fn in_html(text: &str, c: char) -> Option<&str> {
    let (name, rest) = text.strip_prefix('&')?.split_once(';')?;
    let number = || match name.strip_prefix('#')? {
        number if number.starts_with(['x', 'X']) => u32::from_str_radix(&number[1..], 16).ok(),
        number => number.parse().ok(),
    };
    let named = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => char::from_u32(number()?),
    };
    (named == Some(c)).then_some(rest)
}

/// Of what comes after the backslash.
fn in_json(text: &str, c: char) -> Option<&str> {
    let letter = match c {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        c => c,
    };
    let in_units = || {
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter();
        units.into_iter().try_fold(text, |text, unit| {
            let text = text.trim_start_matches('\\');
            let (number, rest) = text.strip_prefix('u')?.split_at_checked(4)?;
            (u16::from_str_radix(number, 16).as_ref() == Ok(unit)).then_some(rest)
        })
    };
    text.strip_prefix(letter).or_else(in_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let secret = "p&ss \"word\"\\+/=ü😀\n";
        for text in [
            secret,
            "p%26ss+%22word%22%5C%2B%2F%3D%C3%BC%F0%9F%98%80%0A",
            "p%26ss%20%22word%22%5c%2b%2f%3d%c3%bc%f0%9f%98%80%0a",
            r#"p&ss \"word\"\\+/=ü😀\n"#,
            r#"p\u0026ss \"word\"\\+\/=\u00fc\ud83d\ude00\n"#,
            r#"p&ss \\\"word\\\"\\\\+\\/=\\u00FC\\ud83d\\ude00\\n"#,
            "p&amp;ss &quot;word&#34;\\+/=&#xFC;😀\n",
        ] {
            assert_eq!(hide(&format!("no {text}."), [secret]), "no [hidden].");
        }
        let another = "p&ss \"word\"\\+/=u";
        assert_eq!(hide(another, [secret]), another);
    }

    #[test]
    fn backslashes_are_hidden_however_many_they_have_become() {
        for text in [r"ab\cdefg", r"ab\\cdefg", r"ab\\\\cdefg"] {
            assert_eq!(hide(text, [r"ab\cdefg"]), HIDDEN, "{text}");
        }
    }

    #[test]
    fn a_short_secret_is_hidden_where_it_stands_alone() {
        for (text, shown) in [
            ("user bob: no", "user [hidden]: no"),
            ("bob", "[hidden]"),
            ("bobbob bobsled xbob bob.", "bobbob bobsled xbob [hidden]."),
            ("übob bobü", "übob bobü"),
            ("no such id", "no such id"),
        ] {
            assert_eq!(hide(text, ["bob", "id", ""]), shown);
        }
    }

    #[test]
    fn a_secret_that_is_a_part_of_another_leaves_nothing_of_that() {
        let text = "Bearer abcdefgh-ijkl and abcdefgh";
        let shown = hide(text, ["abcdefgh", "abcdefgh-ijkl"]);
        assert_eq!(shown, "Bearer [hidden] and [hidden]");
    }

    proptest::proptest! {
        #[test]
        fn what_is_json_of_a_text_never_has_the_secret(secret in "\\PC{8,20}", around in "\\PC{0,10}") {
            let text = format!("{around}{secret}{around}");
            for text in [serde_json::json!(text).to_string(), serde_json::json!({ "a": serde_json::json!(text).to_string() }).to_string(), text] {
                proptest::prop_assert!(hide(&text, [&*secret]).contains(HIDDEN), "{}", text);
            }
        }
    }
}
