//! Patterns of paths: `/orders/{id}/items/{item}`, `/files/{name...}`.
//!
//! A pattern is its segments. A request's path is cut at its slashes first and percent-decoded then, so an encoded slash is part of a
//! segment; a slash at the end of either means nothing. A parameter takes one segment that is not empty, and the rest, which stands
//! last, any number of segments, also none.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Segments that a pattern may have: each is a level of the stack while a path is looked up.
const MAX_SEGMENTS: usize = 64;

/// A pattern that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("the path begins with no slash; write `/orders`")]
    Relative,
    #[error("the path has an empty segment; remove the second slash")]
    EmptySegment,
    #[error("the path holds `{0}`; write the path alone, or `%{code:02X}` for the character", code = *.0 as u32)]
    NotOfPath(char),
    #[error(
        "the path has a brace in `{0}`; a parameter is a whole segment, as in `/orders/{{id}}`"
    )]
    Brace(String),
    #[error("the path has a parameter without a name; write `{{id}}`")]
    Unnamed,
    #[error("the path has two parameters named `{0}`; name one of them otherwise")]
    Twice(String),
    #[error("the path goes on after `{{{0}...}}`; that takes all that is left, so write it last")]
    RestNotLast(String),
    #[error("the path is not UTF-8 once it is percent-decoded; write its characters as they are")]
    NotText,
    #[error("the path has more than {MAX_SEGMENTS} segments")]
    TooLong,
}

/// A part of a pattern between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This text, decoded.
    Literal(String),
    /// Any text that is not empty, under this name.
    Parameter(String),
    /// All that is left, under this name; without one, it is not kept.
    Rest(Option<String>),
}

/// How the paths that one pattern takes lie to those of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// No path is taken by both.
    Disjoint,
    /// Both take the same.
    Equal,
    /// The other one takes all of them, and more.
    Narrower,
    /// It takes all of the other's, and more.
    Wider,
    /// Some are taken by both, and some by either alone.
    Crossing,
}

impl Relation {
    /// Of two sets that overlap: whether each has what the other has not.
    pub(crate) fn of(narrower: bool, wider: bool) -> Self {
        match (narrower, wider) {
            (false, false) => Relation::Equal,
            (true, false) => Relation::Narrower,
            (false, true) => Relation::Wider,
            (true, true) => Relation::Crossing,
        }
    }
}

/// Which paths are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// Every path.
    pub(crate) fn any() -> Self {
        Self {
            segments: vec![Segment::Rest(None)],
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(other) = text.chars().find(|c| "?#".contains(*c) || c.is_control()) {
            return Err(PatternError::NotOfPath(other));
        }
        let mut segments = Vec::new();
        for segment in cut(text).ok_or(PatternError::Relative)? {
            if let Some(Segment::Rest(name)) = segments.last() {
                let name = name.clone().unwrap_or_default();
                return Err(PatternError::RestNotLast(name));
            }
            segments.push(Segment::parse(segment)?);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(PatternError::TooLong);
        }
        let pattern = Self { segments };
        let mut names: Vec<&str> = pattern.parameters().map(|(name, _)| name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PatternError::Twice(pair[0].to_owned())),
            None => Ok(pattern),
        }
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its parameters, each with the segment that it begins at.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, usize)> {
        let segments = self.segments.iter().enumerate();
        segments.filter_map(|(at, segment)| match segment {
            Segment::Parameter(name) | Segment::Rest(Some(name)) => Some((name.as_str(), at)),
            Segment::Literal(_) | Segment::Rest(None) => None,
        })
    }

    /// Whether all that is left goes to its last parameter.
    pub(crate) fn has_rest(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest(_)))
    }

    /// How the paths that it takes lie to the other's.
    pub(crate) fn relation(&self, other: &Self) -> Relation {
        let (mut narrower, mut wider) = (false, false);
        let mut at = 0;
        loop {
            match (self.segments.get(at), other.segments.get(at)) {
                (None, None) | (Some(Segment::Rest(_)), Some(Segment::Rest(_))) => break,
                (Some(Segment::Rest(_)), _) => {
                    wider = true;
                    break;
                }
                (_, Some(Segment::Rest(_))) => {
                    narrower = true;
                    break;
                }
                (None, Some(_)) | (Some(_), None) => return Relation::Disjoint,
                (Some(Segment::Literal(one)), Some(Segment::Literal(two))) => {
                    if one != two {
                        return Relation::Disjoint;
                    }
                }
                (Some(Segment::Literal(_)), Some(Segment::Parameter(_))) => narrower = true,
                (Some(Segment::Parameter(_)), Some(Segment::Literal(_))) => wider = true,
                (Some(Segment::Parameter(_)), Some(Segment::Parameter(_))) => {}
            }
            at += 1;
        }
        Relation::of(narrower, wider)
    }

    /// The pattern of the paths that both take, if they take any.
    pub(crate) fn common(&self, other: &Self) -> Self {
        let len = self.segments.len().max(other.segments.len());
        let choose = |at: usize| match (self.segments.get(at), other.segments.get(at)) {
            (Some(Segment::Literal(text)), _) | (_, Some(Segment::Literal(text))) => {
                Some(Segment::Literal(text.clone()))
            }
            (Some(Segment::Parameter(name)), _) | (_, Some(Segment::Parameter(name))) => {
                Some(Segment::Parameter(name.clone()))
            }
            (Some(rest), Some(_)) => Some(rest.clone()),
            _ => None,
        };
        Self {
            segments: (0..len).filter_map(choose).collect(),
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::EmptySegment);
        }
        let Some(name) = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
        else {
            if text.contains(['{', '}']) {
                return Err(PatternError::Brace(text.to_owned()));
            }
            let text = decode(text, false).ok_or(PatternError::NotText)?;
            return Ok(Segment::Literal(text.into_owned()));
        };
        let (name, is_rest) = match name.strip_suffix("...") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.is_empty() {
            return Err(PatternError::Unnamed);
        }
        if name.contains(['{', '}']) {
            return Err(PatternError::Brace(text.to_owned()));
        }
        Ok(if is_rest {
            Segment::Rest(Some(name.to_owned()))
        } else {
            Segment::Parameter(name.to_owned())
        })
    }
}

/// The pattern as a path template of OpenAPI, which has no sign for a rest: it is a parameter there.
impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.segments {
            f.write_char('/')?;
            match segment {
                Segment::Literal(text) => write!(f, "{}", Encoded(text))?,
                Segment::Parameter(name) | Segment::Rest(Some(name)) => write!(f, "{{{name}}}")?,
                Segment::Rest(None) => f.write_str("{path}")?,
            }
        }
        Ok(())
    }
}

/// A literal as it may stand in a URL and in a pattern.
struct Encoded<'a>(&'a str);

impl std::fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
                f.write_char(byte.into())?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// The segments of a path, still encoded; none if it does not begin with a slash.
fn cut(path: &str) -> Option<impl Iterator<Item = &str>> {
    let inner = path.strip_prefix('/')?;
    let inner = (!inner.is_empty()).then(|| inner.strip_suffix('/').unwrap_or(inner));
    Some(inner.into_iter().flat_map(|inner| inner.split('/')))
}

/// The segments of a request's path. None if it is no path, or not UTF-8 once it is decoded: no pattern takes that.
pub(crate) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    cut(path)?.map(|segment| decode(segment, false)).collect()
}

/// Undoes percent-encoding; in a query, a plus sign is a space. A `%` that no two hexadecimal digits follow stands for itself.
/// None if the result is not UTF-8.
pub(crate) fn decode(text: &str, is_query: bool) -> Option<Cow<'_, str>> {
    if text.contains('%') || (is_query && text.contains('+')) {
        let decoded = String::from_utf8(decode_bytes(text, is_query)).ok()?;
        return Some(Cow::Owned(decoded));
    }
    Some(Cow::Borrowed(text))
}

/// As [`decode`], whatever the bytes are.
pub(crate) fn decode_bytes(text: &str, is_query: bool) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) if is_query => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_with_what_to_write() {
        for (text, expected) in [
            ("orders", PatternError::Relative),
            ("", PatternError::Relative),
            ("//", PatternError::EmptySegment),
            ("/a//b", PatternError::EmptySegment),
            ("/a?b=1", PatternError::NotOfPath('?')),
            ("/a/{id", PatternError::Brace("{id".into())),
            ("/a/order-{id}", PatternError::Brace("order-{id}".into())),
            ("/a/{}", PatternError::Unnamed),
            ("/a/{...}", PatternError::Unnamed),
            ("/{id}/a/{id}", PatternError::Twice("id".into())),
            ("/{all...}/a", PatternError::RestNotLast("all".into())),
            ("/%FF", PatternError::NotText),
        ] {
            assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        }
        assert_eq!(
            Pattern::parse(&"/a".repeat(MAX_SEGMENTS + 1)),
            Err(PatternError::TooLong)
        );
        assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    }

    #[test]
    fn a_slash_at_the_end_means_nothing_and_one_in_the_middle_does() {
        assert_eq!(pattern("/orders/"), pattern("/orders"));
        assert_eq!(segments("/orders/"), segments("/orders"));
        assert_eq!(segments("/"), Some(vec![]));
        assert_eq!(segments("//"), Some(vec!["".into()]));
        assert_eq!(
            segments("/a//b"),
            Some(vec!["a".into(), "".into(), "b".into()])
        );
        assert_eq!(segments("*"), None);
    }

    #[test]
    fn segments_are_decoded_after_they_are_cut() {
        for (path, expected) in [
            ("/a%2Fb", Some(vec!["a/b"])),
            ("/caf%C3%A9/%7e", Some(vec!["café", "~"])),
            ("/a+b", Some(vec!["a+b"])),
            ("/100%/%zz/%4", Some(vec!["100%", "%zz", "%4"])),
            ("/%+1", Some(vec!["%+1"])),
            ("/%ff", None),
        ] {
            let segments = segments(path);
            let texts = segments
                .as_ref()
                .map(|all| all.iter().map(|one| &**one).collect::<Vec<_>>());
            assert_eq!(texts, expected, "{path}");
        }
        assert_eq!(pattern("/caf%C3%A9"), pattern("/café"));
        assert_eq!(decode("a+b%20c", true).as_deref(), Some("a b c"));
    }

    #[test]
    fn patterns_are_compared_by_the_paths_that_they_take() {
        for (one, two, expected) in [
            ("/a", "/b", Relation::Disjoint),
            ("/a", "/a/b", Relation::Disjoint),
            ("/a/{x}", "/a", Relation::Disjoint),
            ("/a/{x}", "/a/{y}", Relation::Equal),
            ("/a/b", "/a/{x}", Relation::Narrower),
            ("/a/{x}", "/a/{all...}", Relation::Narrower),
            ("/a", "/a/{all...}", Relation::Narrower),
            ("/{all...}", "/", Relation::Wider),
            ("/a/{x}", "/{y}/b", Relation::Crossing),
            ("/{y}/b", "/a/{all...}", Relation::Crossing),
            ("/{y}/b", "/a/c", Relation::Disjoint),
        ] {
            assert_eq!(
                pattern(one).relation(&pattern(two)),
                expected,
                "{one} {two}"
            );
        }
        let common = pattern("/a/{x}").common(&pattern("/{y}/b"));
        assert_eq!(common.to_string(), "/a/b");
        let common = pattern("/{y}/b").common(&pattern("/a/{all...}"));
        assert_eq!(common.to_string(), "/a/b");
    }

    #[test]
    fn a_pattern_is_told_as_a_template() {
        for (text, expected) in [
            ("/", "/"),
            ("/orders/{id}", "/orders/{id}"),
            ("/files/{name...}", "/files/{name}"),
            ("/café au lait", "/caf%C3%A9%20au%20lait"),
        ] {
            assert_eq!(pattern(text).to_string(), expected);
        }
        assert_eq!(Pattern::any().to_string(), "/{path}");
    }
}
