//! A row.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::columns::key;
use super::{Columns, CsvError, typed};

/// A row of CSV, lent by its reader until the next one.
///
/// It serializes as an object of strings, so that `emit.document(&row)` captures it.
///
/// ```
/// use staunch::stream::Csv;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[derive(serde::Deserialize)]
/// struct Order<'a> {
///     id: u64,
///     note: Option<&'a str>,
/// }
///
/// let mut rows = Csv::new().read(&b"id,note\n1,\"call, then ship\"\n2,\n"[..]);
/// let row = rows.next().await?.expect("there are two");
/// assert_eq!((row.get(0), row.named("note")), (Some("1"), Some("call, then ship")));
/// assert_eq!(serde_json::to_string(&row)?, r#"{"id":"1","note":"call, then ship"}"#);
///
/// let row = rows.next().await?.expect("there are two");
/// let order: Order = row.deserialize()?;
/// assert_eq!((order.id, order.note, row.line()), (2, None, 3));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CsvRow<'r> {
    pub(super) columns: &'r Columns,
    pub(super) text: &'r str,
    /// Where in the text each field ends: checked, when the row was made, to be boundaries of characters.
    pub(super) ends: &'r [usize],
    pub(super) line: u64,
    pub(super) trim: bool,
    /// How many fields it has; those that the text has not are empty.
    pub(super) len: usize,
}

impl<'r> CsvRow<'r> {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, which is never so: a blank line is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The line that it begins in, from one.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The columns of the table.
    pub fn columns(&self) -> &'r Columns {
        self.columns
    }

    /// The field at this position, from zero.
    pub fn get(&self, position: usize) -> Option<&'r str> {
        if position >= self.len {
            return None;
        }
        let Some(end) = self.ends.get(position) else {
            return Some("");
        };
        let start = position
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        let field = &self.text[start..*end];
        Some(if self.trim { field.trim() } else { field })
    }

    /// The field in the column of this name.
    pub fn named(&self, name: &str) -> Option<&'r str> {
        self.get(self.columns.position(name)?)
    }

    /// All fields, in the order of the file.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = &'r str> + use<'r> {
        let row = *self;
        (0..self.len).map(move |position| row.get(position).unwrap_or_default())
    }

    /// Appends the row as a JSON object on one line, a string for each field, in the order of the file.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (position, field) in self.fields().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            match self.columns.key(position) {
                Some(key) => out.extend_from_slice(key),
                None => out.extend_from_slice(&key(&self.columns.surplus(position))),
            }
            write_string(out, field);
        }
        out.push(b'}');
    }

    /// The row as a type: a struct by the names of its columns, or a tuple by their order.
    ///
    /// Fields become numbers, booleans (`true`, `false`), strings, characters, unit variants and, if empty, `None`. Fields that
    /// borrow a `&str` take no memory. `#[serde(flatten)]` finds strings only.
    ///
    /// # Errors
    /// [`CsvError::Field`] and [`CsvError::Row`], without a value of the row.
    pub fn deserialize<T: serde::Deserialize<'r>>(&self) -> Result<T, CsvError> {
        typed::deserialize(self)
    }

    /// What the field at this position is called.
    pub(super) fn name(&self, position: usize) -> std::borrow::Cow<'r, str> {
        match self.columns.name(position) {
            Some(name) => name.into(),
            None => self.columns.surplus(position).into(),
        }
    }
}

/// Appends a JSON string. Most fields have nothing to escape, which is seen faster than each byte is looked up.
fn write_string(out: &mut Vec<u8>, text: &str) {
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // All bytes are looked at, also after one was found: several at a time, that way.
    if text
        .bytes()
        .fold(false, |found, byte| found | is_special(byte))
    {
        serde_json::to_writer(out, text).expect("a string is JSON");
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

impl Serialize for CsvRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.len))?;
        for (position, field) in self.fields().enumerate() {
            object.serialize_entry(self.name(position).as_ref(), field)?;
        }
        object.end()
    }
}
