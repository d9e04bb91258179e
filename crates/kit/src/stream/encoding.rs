//! Text of any encoding, as UTF-8.
//!
//! The encodings are those of the WHATWG standard, by `encoding_rs`; what an unmarked text is in is guessed by `chardetng`. A byte
//! that is none in its encoding is an error, never a replacement: nobody would see that it was another character.

mod decoded;
mod detect;

pub(crate) use decoded::Choice;
pub use decoded::{Decoded, EncodingError, decode, decode_detected};
use detect::{Mark, mark};

/// An encoding of text.
///
/// ```
/// use staunch::stream::Encoding;
///
/// assert_eq!(Encoding::named("Latin1"), Some(Encoding::WINDOWS_1252));
/// assert_eq!(Encoding::named("shift_jis").map(Encoding::name), Some("Shift_JIS"));
/// assert_eq!(Encoding::named("klingon"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    /// UTF-16, the low byte first.
    pub const UTF_16LE: Self = Self(encoding_rs::UTF_16LE);
    /// UTF-16, the high byte first.
    pub const UTF_16BE: Self = Self(encoding_rs::UTF_16BE);
    /// Windows-1252, of which ISO 8859-1 is a part but for control characters.
    pub const WINDOWS_1252: Self = Self(encoding_rs::WINDOWS_1252);

    /// The encoding of this name or label (WHATWG Encoding Standard, 4.2), in whatever case: `utf-8`, `latin1`, `windows-1250`,
    /// `shift_jis`, `gb18030`.
    pub fn named(label: &str) -> Option<Self> {
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Self)
    }

    /// Its name in that standard.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The encoding of a text that begins like this; `whole` says that this is all of it.
    ///
    /// A byte order mark decides. Without one it is UTF-16 if every other byte is zero for the most part, UTF-8 if it is valid as
    /// that, and otherwise what its bytes look like most: a guess, which a kilobyte of text makes a good one.
    ///
    /// ```
    /// use staunch::stream::Encoding;
    ///
    /// assert_eq!(Encoding::detect("größer".as_bytes(), true), Encoding::UTF_8);
    /// assert_eq!(Encoding::detect(b"gr\xf6\xdfer", true), Encoding::WINDOWS_1252);
    /// assert_eq!(Encoding::detect(b"i\0d\0", false), Encoding::UTF_16LE);
    /// ```
    pub fn detect(start: &[u8], whole: bool) -> Self {
        detect::detect(start, whole)
    }
}
