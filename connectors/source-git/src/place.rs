//! Places in a history, as they stand in the connector's state.
//!
//! ```text
//! cursor   ["<tip>"]                            all that the tip reaches is captured, or is its backfill's to capture;
//!                                               [""] before a branch has its first commit
//! page     {"exclude": ["<id>", …],             what the backfill leaves out: others have captured it
//!           "after": "<id>"}                    the last commit captured; absent at the beginning
//! ```
//!
//! `exclude` is fixed when a backfill begins. Computed anew from the other branches' cursors it would grow as they
//! merge this branch, and commits would be left out that nobody has captured.

use gix::ObjectId;
use staunch::state::{Node, Object};
use staunch::{BoxError, Cursor, Page};

use crate::parse_id;

/// The cursor of a branch whose commits are captured up to `tip`.
pub(crate) fn cursor(tip: Option<ObjectId>) -> Cursor {
    let tip = tip.map_or_else(String::new, |tip| tip.to_string());
    Cursor::tuple([tip]).expect("a tuple of one part")
}

/// The tip that a cursor names; none for a branch without commits.
pub(crate) fn tip(cursor: &Cursor) -> Result<Option<ObjectId>, BoxError> {
    use staunch::state::CursorPart;
    match cursor.parts() {
        Some([CursorPart::String(tip)]) if tip.is_empty() => Ok(None),
        Some([CursorPart::String(tip)]) => Ok(Some(parse_id(tip)?)),
        _ => Err("the cursor of a branch is an array of one commit id; reset the binding".into()),
    }
}

/// Where a backfill goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) exclude: Vec<ObjectId>,
    pub(crate) after: Option<ObjectId>,
}

impl Place {
    /// The page with which a backfill begins.
    pub(crate) fn beginning(exclude: &[ObjectId]) -> Page {
        let mut page = Object::new();
        page.insert(
            "exclude",
            Node::strings(exclude.iter().map(ToString::to_string)),
        );
        Page::Object(page)
    }

    /// The patch of a page that has come to `after`.
    pub(crate) fn next(after: ObjectId) -> Page {
        let mut page = Object::new();
        page.insert("after", Node::string(after.to_string()));
        Page::Object(page)
    }

    pub(crate) fn of(page: Option<&Page>) -> Result<Self, BoxError> {
        let Some(page) = page else {
            return Ok(Self::default());
        };
        let Page::Object(page) = page else {
            return Err("a page of commits is an object; reset the binding".into());
        };
        let exclude = match page.present("exclude") {
            None => Vec::new(),
            Some(list) => ids(list)
                .ok_or("`exclude` of a page is an array of commit ids; reset the binding")?,
        };
        let after = match page.present("after") {
            None => None,
            Some(id) => Some(parse_id(
                &id.as_str()
                    .ok_or("`after` of a page is a commit id; reset the binding")?,
            )?),
        };
        Ok(Self { exclude, after })
    }
}

fn ids(list: &Node) -> Option<Vec<ObjectId>> {
    let texts: Vec<String> = serde_json::from_str(&list.to_json()).ok()?;
    texts.iter().map(|text| parse_id(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_as_they_were_written() {
        let id = parse_id("0123456789012345678901234567890123456789").unwrap();
        assert_eq!(tip(&cursor(Some(id))).unwrap(), Some(id));
        assert_eq!(tip(&cursor(None)).unwrap(), None);
        let Page::Object(mut page) = Place::beginning(&[id]) else {
            unreachable!()
        };
        page.insert("after", Node::string(id.to_string()));
        let place = Place {
            exclude: vec![id],
            after: Some(id),
        };
        assert_eq!(Place::of(Some(&Page::Object(page))).unwrap(), place);
    }

    #[test]
    fn a_state_of_another_connector_is_refused() {
        assert!(tip(&Cursor::integer(7)).is_err());
        assert!(tip(&Cursor::tuple(["main"]).unwrap()).is_err());
        assert!(Place::of(Some(&Page::Integer(3))).is_err());
    }
}
