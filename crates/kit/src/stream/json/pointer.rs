//! The path to an array.

use super::{JsonError, MAX_DEPTH};

/// An RFC 6901 pointer, token by token.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    text: String,
    tokens: Vec<Token>,
}

/// One step of a pointer, into an object or an array.
#[derive(Clone, Debug)]
pub(super) struct Token {
    name: String,
    /// Where this token ends in the pointer's text.
    end: usize,
}

impl Pointer {
    /// # Errors
    /// [`JsonError::Pointer`] if it is none, or has more tokens than containers may stand inside each other.
    pub(super) fn parse(text: &str) -> Result<Self, JsonError> {
        let wrong = || JsonError::Pointer {
            pointer: text.to_owned(),
        };
        let mut tokens = Vec::new();
        let mut end = 0;
        if !text.is_empty() {
            let path = text.strip_prefix('/').ok_or_else(wrong)?;
            for token in path.split('/') {
                end += 1 + token.len();
                let name = unescape(token).ok_or_else(wrong)?;
                tokens.push(Token { name, end });
            }
        }
        // The array itself is one container more.
        if tokens.len() >= MAX_DEPTH {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            tokens,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn token(&self, depth: usize) -> &Token {
        &self.tokens[depth]
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The pointer of the container or value that its first `depth` tokens lead to.
    pub(super) fn prefix(&self, depth: usize) -> &str {
        let end = depth.checked_sub(1).map_or(0, |last| self.tokens[last].end);
        &self.text[..end]
    }
}

impl Token {
    /// Whether a member's name, as it stands in the document with its quotes, is this one. The name was scanned before.
    pub(super) fn is_name(&self, quoted: &[u8]) -> bool {
        let inner = quoted
            .get(1..quoted.len().saturating_sub(1))
            .unwrap_or_default();
        if !inner.contains(&b'\\') {
            return inner == self.name.as_bytes();
        }
        serde_json::from_slice::<String>(quoted).is_ok_and(|name| name == self.name)
    }

    /// Whether this is the element of that index.
    pub(super) fn is_index(&self, index: u64) -> bool {
        let has_one_text = self.name == "0" || !self.name.starts_with(['0', '+']);
        has_one_text && self.name.parse() == Ok(index)
    }
}

/// A token without its escapes; `None` for a `~` that is none.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let rest = if let Some(rest) = part.strip_prefix('0') {
            name.push('~');
            rest
        } else {
            name.push('/');
            part.strip_prefix('1')?
        };
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_what_rfc_6901_says() {
        let pointer = Pointer::parse("/a~1b/~01/").expect("it is a pointer");
        assert!(pointer.token(0).is_name(b"\"a/b\""));
        assert!(pointer.token(1).is_name(b"\"~1\""));
        assert!(pointer.token(2).is_name(b"\"\""));
        assert!(!pointer.token(2).is_name(b"\"x\""));
        assert_eq!(
            (
                pointer.prefix(0),
                pointer.prefix(1),
                pointer.prefix(2),
                pointer.prefix(3)
            ),
            ("", "/a~1b", "/a~1b/~01", "/a~1b/~01/")
        );
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["data", "/~", "/~2", "/a~", &"/a".repeat(127)] {
            let error = Pointer::parse(text).expect_err(text);
            assert!(matches!(error, JsonError::Pointer { .. }), "{error}");
        }
        assert!(Pointer::parse(&"/a".repeat(126)).is_ok());
    }

    #[test]
    fn an_index_has_one_text() {
        for (text, index, is) in [
            ("/0", 0, true),
            ("/17", 17, true),
            ("/017", 17, false),
            ("/+1", 1, false),
            ("/-", 0, false),
            ("/00", 0, false),
        ] {
            let pointer = Pointer::parse(text).expect("it is a pointer");
            assert_eq!(pointer.token(0).is_index(index), is, "{text}");
        }
    }
}
