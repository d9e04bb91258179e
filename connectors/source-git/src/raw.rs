//! A commit's bytes, taken apart.
//!
//! ```text
//! tree <id>\n  (parent <id>\n)*  author <person>\n  committer <person>\n  (other headers)*  \n  <message>
//! ```
//!
//! Git reads the tree and the parents strictly and the rest as well as it can; so do we. A stricter
//! parser would make one odd author line of 2006 the end of a capture. Walk and document share this
//! parser, so that they cannot disagree about a commit's parents.

use gix::ObjectId;

/// A commit's parts, still as bytes.
#[derive(Debug)]
pub(crate) struct RawCommit<'a> {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    /// The first `author` line without its name; empty if there is none.
    pub(crate) author: &'a [u8],
    /// As `author`.
    pub(crate) committer: &'a [u8],
    pub(crate) encoding: Option<&'a [u8]>,
    pub(crate) message: &'a [u8],
}

/// `Name <email> seconds offset`, still as bytes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct RawPerson<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) email: &'a [u8],
    /// What follows the last `>`.
    pub(crate) clock: &'a [u8],
}

impl<'a> RawCommit<'a> {
    /// # Errors
    /// What is wrong, if the tree or a parent is no id: git accepts no such commit either.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, &'static str> {
        let mut rest = data;
        let mut line = next_line(&mut rest);
        let tree = line
            .strip_prefix(b"tree ")
            .and_then(id)
            .ok_or("it has no `tree` line")?;
        let mut parents = Vec::new();
        line = next_line(&mut rest);
        while let Some(parent) = line.strip_prefix(b"parent ") {
            parents.push(id(parent).ok_or("a `parent` line has no object id")?);
            line = next_line(&mut rest);
        }
        let (mut author, mut committer, mut encoding) = (None, None, None);
        // Headers end at the first empty line; continuation lines (signatures) begin with a space
        // and so are no header of ours.
        while !line.is_empty() {
            if let Some(value) = line.strip_prefix(b"author ") {
                author.get_or_insert(value);
            } else if let Some(value) = line.strip_prefix(b"committer ") {
                committer.get_or_insert(value);
            } else if let Some(value) = line.strip_prefix(b"encoding ") {
                encoding.get_or_insert(value);
            }
            line = next_line(&mut rest);
        }
        Ok(RawCommit {
            tree,
            parents,
            author: author.unwrap_or_default(),
            committer: committer.unwrap_or_default(),
            encoding,
            message: rest,
        })
    }
}

impl<'a> RawPerson<'a> {
    /// Never fails: what is not there is empty, and a line without `<` is all name.
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let open = line.iter().position(|&byte| byte == b'<');
        let Some(open) = open else {
            return RawPerson {
                name: line.trim_ascii(),
                email: b"",
                clock: b"",
            };
        };
        let (name, address) = (&line[..open], &line[open + 1..]);
        let email = match address.iter().position(|&byte| byte == b'>') {
            Some(close) => &address[..close],
            None => address,
        };
        // The clock stands behind the last `>`: an address may contain one.
        let clock = match address.iter().rposition(|&byte| byte == b'>') {
            Some(close) => &address[close + 1..],
            None => b"",
        };
        RawPerson {
            name: name.trim_ascii(),
            email: email.trim_ascii(),
            clock: clock.trim_ascii(),
        }
    }
}

/// Takes the next line off `rest`, without its newline; empty at the end.
fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => {
            let line = &rest[..end];
            *rest = &rest[end + 1..];
            line
        }
        None => std::mem::take(rest),
    }
}

fn id(hex: &[u8]) -> Option<ObjectId> {
    ObjectId::from_hex(hex).ok()
}

#[cfg(test)]
mod tests {
    use super::{RawCommit, RawPerson};

    const ID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn a_signed_commit_is_not_read_from_its_signature() {
        let data = format!(
            "tree {ID}\nparent {ID}\nparent {ID}\nauthor A <a> 1 +0000\ncommitter C <c> 2 +0000\n\
             gpgsig -----BEGIN\n author X <x> 3 +0000\n \n -----END\nencoding latin1\n\nfirst\n\nauthor second\n"
        );
        let commit = RawCommit::parse(data.as_bytes()).unwrap();
        assert_eq!(commit.parents.len(), 2);
        assert_eq!(commit.author, b"A <a> 1 +0000");
        assert_eq!(commit.committer, b"C <c> 2 +0000");
        assert_eq!(commit.encoding, Some(&b"latin1"[..]));
        assert_eq!(commit.message, b"first\n\nauthor second\n");
    }

    #[test]
    fn a_commit_without_people_or_message_is_still_a_commit() {
        for (data, message) in [
            (format!("tree {ID}"), ""),
            (format!("tree {ID}\n\n"), ""),
            (format!("tree {ID}\n\nhello"), "hello"),
            (format!("tree {ID}\nauthor"), ""),
        ] {
            let commit = RawCommit::parse(data.as_bytes()).unwrap();
            assert_eq!(
                (commit.author, commit.message),
                (&b""[..], message.as_bytes()),
                "{data}"
            );
        }
    }

    #[test]
    fn a_commit_that_git_refuses_is_refused() {
        for data in [
            "",
            "tree",
            "tree xyz\n",
            &format!("tree {ID}\nparent {}\n", &ID[1..]),
        ] {
            assert!(RawCommit::parse(data.as_bytes()).is_err(), "{data}");
        }
    }

    #[test]
    fn a_malformed_person_keeps_what_can_be_told() {
        for (line, name, email, clock) in [
            ("A U Thor <a@b.c> 1 +0000", "A U Thor", "a@b.c", "1 +0000"),
            ("<a@b.c> 1 +0000", "", "a@b.c", "1 +0000"),
            ("A <> 1 +0000", "A", "", "1 +0000"),
            ("A <a@b.c>> 1 +0000", "A", "a@b.c", "1 +0000"),
            ("A <a <b> c> 1 +0000", "A", "a <b", "1 +0000"),
            ("A <a@b.c 1 +0000", "A", "a@b.c 1 +0000", ""),
            ("A a@b.c 1 +0000", "A a@b.c 1 +0000", "", ""),
            ("", "", "", ""),
            (">", ">", "", ""),
            ("<", "", "", ""),
        ] {
            let expected = RawPerson {
                name: name.as_bytes(),
                email: email.as_bytes(),
                clock: clock.as_bytes(),
            };
            assert_eq!(RawPerson::parse(line.as_bytes()), expected, "{line}");
        }
    }
}
