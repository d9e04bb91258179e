//! Texts without the secrets that a server may repeat in them.

use reqwest::Url;

/// What stands in for a secret.
const HIDDEN: &str = "[hidden]";

/// A secret that is shorter is hidden where it stands alone: as a part of something longer it is a coincidence, most likely.
const LONG_CHARS: usize = 8;

/// One that is shorter than this hides nothing, as any word may be it.
const SHORTEST_CHARS: usize = 3;

/// The text without these secrets, whichever way a server repeats them: as they are, or as they are written in a form, in a URL or in
/// JSON.
pub(crate) fn hide<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut forms: Vec<String> = secrets.into_iter().flat_map(forms).collect();
    forms.sort_by_key(|secret| std::cmp::Reverse(secret.len())); // One may be a part of another.
    let mut text = text.to_owned();
    for secret in &forms {
        text = match secret.chars().count() {
            0..SHORTEST_CHARS => continue,
            SHORTEST_CHARS..LONG_CHARS => hide_alone(&text, secret),
            _ => text.replace(secret, HIDDEN),
        };
    }
    text
}

fn forms(secret: &str) -> [String; 4] {
    let mut form = Url::parse("form:").expect("it is a URL");
    // A query is written as a form is.
    form.query_pairs_mut().append_key_only(secret);
    let form = form.query().unwrap_or_default().to_owned();
    let in_url = form.replace('+', "%20");
    let json = serde_json::Value::from(secret).to_string();
    let json = json.trim_start_matches('"').strip_suffix('"');
    let json = json.unwrap_or_default().to_owned();
    [secret.to_owned(), form, in_url, json]
}

fn hide_alone(text: &str, secret: &str) -> String {
    let (mut hidden, mut done) = (String::new(), 0);
    let is_of_word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        let is_alone =
            !is_of_word(text[..at].chars().next_back()) && !is_of_word(text[end..].chars().next());
        if is_alone {
            hidden.push_str(&text[done..at]);
            hidden.push_str(HIDDEN);
            done = end;
        }
    }
    hidden.push_str(&text[done..]);
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_whichever_way_it_is_repeated() {
        let secret = "p&ss \"word\"+=";
        for text in [
            "p&ss \"word\"+=",
            "client_secret=p%26ss+%22word%22%2B%3D&x",
            "/p%26ss%20%22word%22%2B%3D/",
            r#"{"client_secret": "p&ss \"word\"+="}"#,
        ] {
            let shown = hide(text, [secret]);
            assert!(
                shown.contains(HIDDEN) && !shown.contains("ss"),
                "{text}: {shown}"
            );
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
}
