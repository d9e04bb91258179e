//! The pages of a source that is asked over HTTP.

use crate::document::{self, Size};

/// How many there are.
pub const PAGES: u64 = 400;

/// Documents on each, of about 1 kB.
pub const PAGE_DOCUMENTS: u64 = 500;

/// What a server answers with: page `n` is at `n` modulo their number, but for what follows it, which is to be appended.
#[must_use]
pub fn bodies() -> Vec<Vec<u8>> {
    let documents = document::ready(Size::Medium);
    let pages = documents.chunks(PAGE_DOCUMENTS as usize);
    let body = |documents: &[Vec<u8>]| [b"{\"data\":[", &documents.join(&b',')[..], b"]"].concat();
    pages.map(body).collect()
}

/// What follows the documents of page `n`.
#[must_use]
pub fn end(page: u64) -> String {
    match page + 1 {
        PAGES.. => "}".to_owned(),
        next => format!(",\"next\":{next}}}"),
    }
}
