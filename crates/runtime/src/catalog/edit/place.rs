//! Where in a text an addition goes, and how it is indented there.

use std::path::Path;

use super::super::{
    error::{CatalogError, Location},
    node::{Kind, Node},
};
use super::{Found, render};

/// Columns by which a level is indented, where the file does not show it.
const DEFAULT_STEP: usize = 2;

/// Text put in at `from`, in place of what stands up to `to`.
#[derive(Debug)]
pub(super) struct Insertion {
    from: usize,
    to: usize,
    /// Whole lines; empty where something is only taken out.
    lines: Vec<String>,
}

/// Applies insertions, which do not overlap; of two at one place, the first comes first.
pub(super) fn apply(text: &str, mut insertions: Vec<Insertion>) -> String {
    insertions.sort_by_key(|insertion| insertion.from);
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for insertion in insertions {
        out.push_str(&text[done..insertion.from]);
        if !insertion.lines.is_empty() && !out.is_empty() && !out.ends_with('\n') {
            out.push_str(end_of_line);
        }
        for line in &insertion.lines {
            out.push_str(line);
            out.push_str(end_of_line);
        }
        done = insertion.to;
    }
    out.push_str(&text[done..]);
    out
}

/// How a file is laid out.
pub(super) struct Layout<'a> {
    path: &'a Path,
    text: &'a str,
    root: &'a Node,
    step: usize,
    /// Columns from a member to the dashes of its list: 0 or a step.
    dash: usize,
    /// Where nodes begin, sorted.
    starts: Vec<usize>,
}

impl<'a> Layout<'a> {
    pub(super) fn of(path: &'a Path, text: &'a str, root: &'a Node) -> Self {
        let step = root
            .member("captures")
            .filter(|member| member.mark.line() != member.value.mark.line())
            .map(|member| {
                member
                    .value
                    .mark
                    .column()
                    .saturating_sub(member.mark.column())
            })
            .filter(|step| (1..=8).contains(step))
            .map_or(DEFAULT_STEP, |step| step as usize);
        let mut starts = Vec::new();
        collect_starts(root, &mut starts);
        starts.sort_unstable();
        let mut layout = Self {
            path,
            text,
            root,
            step,
            dash: step,
            starts,
        };
        layout.dash = layout.first_dash(root).unwrap_or(step);
        layout
    }

    fn refuse(
        &self,
        node: &Node,
        pointer: &str,
        reason: &'static str,
        remedy: &'static str,
    ) -> CatalogError {
        let at = Location {
            file: self.path.to_owned(),
            line: node.mark.line(),
            column: node.mark.column(),
            pointer: pointer.to_owned(),
        };
        CatalogError::CannotEdit {
            at: Box::new(at),
            reason,
            remedy,
        }
    }

    /// A mapping or list over several lines, written here: text can be added to it.
    pub(super) fn must_be_block(&self, node: &Node, pointer: &str) -> Result<(), CatalogError> {
        if node.referred {
            let reason = "it is an alias of something written elsewhere";
            return Err(self.refuse(
                node,
                pointer,
                reason,
                "write it out in place, or add by hand",
            ));
        }
        if !matches!(node.kind, Kind::Map(_) | Kind::List(_)) || self.is_inline(node) {
            let reason = "it is written inline";
            return Err(self.refuse(
                node,
                pointer,
                reason,
                "write it over several lines, one entry each",
            ));
        }
        Ok(())
    }

    fn is_inline(&self, node: &Node) -> bool {
        start(node).is_none_or(|start| self.text[start..].starts_with(['{', '[']))
    }

    pub(super) fn add_bindings(
        &self,
        capture: &Node,
        pointer: &str,
        found: &[&Found],
    ) -> Result<Vec<Insertion>, CatalogError> {
        let column = self.column(capture);
        let items = |dash: usize| {
            found
                .iter()
                .flat_map(|found| render::binding(found, self.step))
                .map(move |line| indented(dash, &line))
        };
        let Some(member) = capture.member("bindings") else {
            let mut lines = vec![indented(column, "bindings:")];
            lines.extend(items(column + self.dash));
            return Ok(vec![self.after(capture, column, &lines)]);
        };
        let pointer = format!("{pointer}/bindings");
        let list = &member.value;
        if is_empty(list) && !list.referred {
            let lines: Vec<String> = items(column + self.dash).collect();
            return self.fill(member.mark, list, &pointer, &lines);
        }
        self.must_be_block(list, &pointer)?;
        let dash = self.dash_of(list).ok_or_else(|| {
            self.refuse(
                list,
                &pointer,
                "its last dash cannot be found",
                "add the bindings by hand",
            )
        })?;
        let lines: Vec<String> = items(dash).collect();
        // Dashes below their member's own column: a comment there is as likely the next member's.
        let own = if dash > column { dash } else { dash + 1 };
        Ok(vec![self.after(list, own, &lines)])
    }

    pub(super) fn add_collections(&self, found: &[&Found]) -> Result<Vec<Insertion>, CatalogError> {
        let entries = |column: usize| {
            found
                .iter()
                .flat_map(|found| render::collection(found, self.step))
                .map(move |line| indented(column, &line))
        };
        let column = self.column(self.root);
        let Some(member) = self.root.member("collections") else {
            let mut lines = vec![indented(column, "collections:")];
            lines.extend(entries(column + self.step));
            return Ok(vec![self.after(self.root, column, &lines)]);
        };
        let map = &member.value;
        if is_empty(map) && !map.referred {
            let lines: Vec<String> = entries(column + self.step).collect();
            return self.fill(member.mark, map, "/collections", &lines);
        }
        self.must_be_block(map, "/collections")?;
        let column = self.column(map);
        let lines: Vec<String> = entries(column).collect();
        Ok(vec![self.after(map, column, &lines)])
    }

    /// Adds lines after everything that belongs to `node`: its last value, and comments from column `own` on.
    fn after(&self, node: &Node, own: usize, lines: &[String]) -> Insertion {
        let last = last_start(node);
        let next = self.starts.iter().copied().find(|start| *start > last);
        let mut end = next.map_or_else(|| self.document_end(last), |next| self.line_start(next));
        loop {
            let before = self.line_start(end.saturating_sub(1));
            if before >= end || before <= self.line_start(last) {
                break;
            }
            let line = self.text[before..end].trim_end();
            let column = line.len() - line.trim_start().len();
            let foreign = line.trim_start().starts_with('#') && column < own;
            if !line.is_empty() && !foreign {
                break;
            }
            end = before;
        }
        insert(end, lines)
    }

    /// The end of the text, or the marker that ends its document after `last`.
    fn document_end(&self, last: usize) -> usize {
        // No value has such a line: the marker would end it too.
        ["\n...\n", "\n...\r", "\n... "]
            .iter()
            .filter_map(|marker| self.text[last..].find(marker))
            .min()
            .map_or(self.text.len(), |found| last + found + 1)
    }

    /// Puts lines where a member has an empty value: `bindings: []`, `bindings:` or `bindings: null`.
    fn fill(
        &self,
        name: serde_saphyr::Location,
        value: &Node,
        pointer: &str,
        lines: &[String],
    ) -> Result<Vec<Insertion>, CatalogError> {
        let refuse = || {
            self.refuse(
                value,
                pointer,
                "its empty value is written unusually",
                "write it as `[]` or `{}`, or leave it out",
            )
        };
        let begin = name
            .span()
            .byte_offset()
            .zip(name.span().byte_len())
            .map(|(at, length)| (at + length) as usize);
        let after_name = begin.ok_or_else(refuse)?;
        let line_end = self.text[after_name..]
            .find('\n')
            .map_or(self.text.len(), |length| after_name + length);
        let rest = &self.text[after_name..line_end];
        let trimmed = rest.trim_start();
        let value_text = trimmed.strip_prefix(':').ok_or_else(refuse)?;
        let colon = after_name + (rest.len() - trimmed.len()) + 1;
        let written = value_text.trim_start();
        let from = colon + (value_text.len() - written.len());
        let mut insertions = Vec::new();
        let remaining = match [("[", "]"), ("{", "}")]
            .iter()
            .find(|(open, _)| written.starts_with(open))
        {
            Some((open, close)) => {
                let inner = &written[open.len()..];
                let end = inner.trim_start().strip_prefix(close).ok_or_else(refuse)?;
                let length = written.len() - end.len();
                insertions.push(Insertion {
                    from: colon,
                    to: from + length,
                    lines: Vec::new(),
                });
                end
            }
            None => {
                let end = ["null", "~"]
                    .iter()
                    .find_map(|null| written.strip_prefix(null))
                    .unwrap_or(written);
                if end.len() < written.len() {
                    insertions.push(Insertion {
                        from: colon,
                        to: from + written.len() - end.len(),
                        lines: Vec::new(),
                    });
                }
                end
            }
        };
        let remaining = remaining.trim();
        if !remaining.is_empty() && !remaining.starts_with('#') {
            return Err(refuse());
        }
        insertions.push(insert((line_end + 1).min(self.text.len()), lines));
        Ok(insertions)
    }

    /// Column, from 0, at which a block mapping's members begin.
    fn column(&self, node: &Node) -> usize {
        (node.mark.column() as usize).saturating_sub(1)
    }

    /// Column, from 0, of the dashes of a block list.
    fn dash_of(&self, list: &Node) -> Option<usize> {
        let Kind::List(items) = &list.kind else {
            return None;
        };
        let first = start(items.first()?)?;
        let line = self.line_start(first);
        let before = &self.text[line..first];
        let dash = before.rfind('-')?;
        (before[..dash].trim().is_empty() && before[dash + 1..].trim().is_empty()).then_some(dash)
    }

    /// The indentation of the first list that the file shows, against its member.
    fn first_dash(&self, node: &Node) -> Option<usize> {
        let Kind::Map(members) = &node.kind else {
            return None;
        };
        members.iter().find_map(|member| match &member.value.kind {
            Kind::List(_) if !self.is_inline(&member.value) => self
                .dash_of(&member.value)?
                .checked_sub((member.mark.column() as usize).saturating_sub(1)),
            _ => self.first_dash(&member.value),
        })
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }
}

fn insert(at: usize, lines: &[String]) -> Insertion {
    Insertion {
        from: at,
        to: at,
        lines: lines.to_vec(),
    }
}

fn indented(column: usize, line: &str) -> String {
    format!("{:column$}{line}", "")
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::List(items) => items.is_empty(),
        Kind::Map(members) => members.is_empty(),
        _ => false,
    }
}

fn start(node: &Node) -> Option<usize> {
    node.mark.span().byte_offset().map(|at| at as usize)
}

fn collect_starts(node: &Node, starts: &mut Vec<usize>) {
    // A value that is not written has no place of its own.
    if !matches!(node.kind, Kind::Null) {
        starts.extend(start(node));
    }
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| collect_starts(item, starts)),
        Kind::Map(members) => {
            for member in members {
                starts.extend(member.mark.span().byte_offset().map(|at| at as usize));
                collect_starts(&member.value, starts);
            }
        }
        _ => {}
    }
}

fn last_start(node: &Node) -> usize {
    let mut starts = Vec::new();
    collect_starts(node, &mut starts);
    starts.into_iter().max().unwrap_or(0)
}
