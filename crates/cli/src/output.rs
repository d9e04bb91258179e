//! Where text goes, and in which form: data to standard output, talk to standard error, JSON in one envelope.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use staunch_protocol::log::Level;

use crate::args::{Color, Global, LogFormat};
use crate::exit::Exit;
use crate::failure::Failure;

/// What a verb answers. Its text and its JSON are rendered from the same value.
pub(crate) trait Report: Serialize {
    /// The verb.
    const COMMAND: &'static str;

    /// The verb, where one report is that of several.
    fn command(&self) -> &'static str {
        Self::COMMAND
    }

    /// One line that says what came of it.
    fn summary(&self) -> String;

    /// The answer as text, for standard output; ends with a line feed unless it is empty.
    fn text(&self, glyphs: &Glyphs) -> String;

    /// How the command ends.
    fn exit(&self) -> Exit {
        Exit::Success
    }
}

/// Signs that are understood without colour, and where there is no Unicode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyphs {
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) arrow: &'static str,
    pub(crate) dot: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    good: "✓",
    bad: "✗",
    warning: "!",
    arrow: "→",
    dot: "·",
};
const ASCII: Glyphs = Glyphs {
    good: "ok",
    bad: "x",
    warning: "!",
    arrow: "->",
    dot: "-",
};

impl Glyphs {
    /// Those of a locale: what `LC_ALL`, `LC_CTYPE` or `LANG` says, the first that says anything.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(variable)
            .find(|value| !value.is_empty());
        let is_utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        if is_utf8 { UNICODE } else { ASCII }
    }
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();

/// `text` in a style; the streams leave it out where there is no colour.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// How this invocation talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) glyphs: Glyphs,
    /// Whether logs are JSON.
    pub(crate) json_logs: bool,
    /// How much more than usual is said; negative for less.
    verbosity: i16,
}

/// What every verb prints with `--json`, and `run` as its last event.
#[derive(Serialize)]
pub(crate) struct Envelope<'a, T> {
    command: &'static str,
    ok: bool,
    summary: String,
    result: Option<&'a T>,
    error: Option<ErrorBody<'a>>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl<'a, T: Report> Envelope<'a, T> {
    pub(crate) fn answer(report: &'a T) -> Self {
        let ok = report.exit() != Exit::Findings;
        Self {
            command: report.command(),
            ok,
            summary: report.summary(),
            result: Some(report),
            error: None,
        }
    }
}

impl<'a> Envelope<'a, ()> {
    pub(crate) fn failure(command: &'static str, failure: &'a Failure) -> Self {
        let message = failure.whole_message();
        let error = ErrorBody {
            code: failure.code,
            message: message.clone(),
            hint: failure.hint.as_deref(),
        };
        Self {
            command,
            ok: false,
            summary: message,
            result: None,
            error: Some(error),
        }
    }
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let choice = match global.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        Self {
            json: global.json,
            glyphs: Glyphs::of(|name| std::env::var(name).ok()),
            json_logs: global.json || global.log_format == LogFormat::Json,
            verbosity: i16::from(global.verbose) - i16::from(global.quiet),
        }
    }

    /// Whether less is to be said than usual.
    pub(crate) fn is_quiet(&self) -> bool {
        self.verbosity < 0
    }

    /// The least level of logs that are shown, where `usual` is without any flag.
    pub(crate) fn threshold(&self, usual: Level) -> Level {
        const LEVELS: [Level; 5] = [
            Level::Error,
            Level::Warn,
            Level::Info,
            Level::Debug,
            Level::Trace,
        ];
        let usual = LEVELS.iter().position(|&level| level == usual).unwrap_or(0) as i16;
        let wanted = (usual + self.verbosity).clamp(0, LEVELS.len() as i16 - 1);
        LEVELS[wanted as usize]
    }

    /// Prints a verb's answer, in the form that was asked for.
    ///
    /// # Errors
    /// When standard output cannot be written; that nobody reads it is none.
    pub(crate) fn answer<T: Report>(&self, report: &T) -> Result<Exit, Failure> {
        if self.json {
            print_line(&json(&Envelope::answer(report)))?;
        } else {
            print(&report.text(&self.glyphs))?;
        }
        Ok(report.exit())
    }

    /// Prints why a verb failed, in the form that was asked for.
    pub(crate) fn fail(&self, command: &'static str, failure: &Failure) -> Exit {
        if self.json {
            let _ = print_line(&json(&Envelope::failure(command, failure))); // There is no better place to say it.
        } else {
            say(&self.failure_text(failure));
        }
        failure.exit
    }

    fn failure_text(&self, failure: &Failure) -> String {
        let Glyphs { bad, arrow, .. } = self.glyphs;
        let mut text = format!("{} {}", styled(RED, bad), styled(BOLD, failure.code));
        if let Some(capture) = &failure.capture {
            text.push_str(&format!("   {capture}"));
        }
        for line in clean(&failure.message).lines() {
            text.push_str(&format!("\n    {line}"));
        }
        for cause in &failure.causes {
            text.push_str(&format!(
                "\n    because: {}",
                clean(cause).replace('\n', "\n    ")
            ));
        }
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("\n    {arrow} {hint}"));
        }
        text
    }

    /// Talks: what was done, or not.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.is_quiet() {
            say(text);
        }
    }

    /// Talks last: the next command to type.
    pub(crate) fn next(&self, why: &str, command: &str) {
        self.note(&format!(
            "{} {why}: {}",
            self.glyphs.arrow,
            styled(BOLD, command)
        ));
    }

    pub(crate) fn warn(&self, text: &str) {
        if !self.json && self.verbosity > -2 {
            say(&format!(
                "{} {}",
                styled(YELLOW, self.glyphs.warning),
                clean(text)
            ));
        }
    }
}

/// Ends a command that was typed wrongly, or was asked for help.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // What was typed could not be read, so the flag is looked for by hand.
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let message = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
        let _ = print_line(&json(&Envelope::failure(
            "staunch",
            &Failure::new("usage", message),
        )));
    } else {
        let _ = error.print(); // Nobody listens: there is nothing to do about it.
    }
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Success.into()
    }
}

/// A value that cannot fail to be JSON: our own structs, with string keys.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a report has string keys")
}

/// Prints data.
///
/// # Errors
/// When standard output cannot be written; that nobody reads it is none.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::write("standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Prints a line of data, which leaves at once.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print(&format!("{line}\n"))
}

/// Prints a line of talk. Nobody has to listen.
pub(crate) fn say(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Text from outside, for a terminal: it may not move the cursor or change colours.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => clean.push(c),
            '\r' => {}
            c if c.is_control() => clean.extend(c.escape_default()),
            c => clean.push(c),
        }
    }
    clean
}

/// A name from outside, on a line of ours: as [`clean`], and it may not begin another line.
pub(crate) fn clean_line(text: &str) -> String {
    clean(&text.replace('\r', "\\r"))
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

/// Columns without lines, two blanks between them; the last is not padded.
pub(crate) fn columns<R: IntoIterator<Item = String>>(
    header: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    if !header.is_empty() {
        table.set_header(header.iter().map(|&name| name.to_owned()));
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_without_unicode_gets_ascii() {
        let glyphs = |values: &[(&str, &str)]| {
            Glyphs::of(|name| {
                values
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
            .bad
        };
        assert_eq!(glyphs(&[("LANG", "en_US.UTF-8")]), "✗");
        assert_eq!(glyphs(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), "x");
        assert_eq!(glyphs(&[("LANG", "C.utf8"), ("LC_ALL", "")]), "✗");
        assert_eq!(glyphs(&[]), "x");
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc"), "a\\u{1b}[2Jb\nc");
        assert_eq!(clean_line("a\u{1b}[2Jb\r\n\tc"), r"a\u{1b}[2Jb\r\n\tc");
    }

    #[test]
    fn verbosity_moves_the_threshold_and_stays_in_range() {
        let at = |verbosity| Output {
            json: false,
            glyphs: ASCII,
            json_logs: false,
            verbosity,
        };
        for (verbosity, expected) in [
            (0, Level::Info),
            (1, Level::Debug),
            (9, Level::Trace),
            (-1, Level::Warn),
            (-9, Level::Error),
        ] {
            assert_eq!(at(verbosity).threshold(Level::Info), expected);
        }
    }

    #[test]
    fn columns_are_aligned_and_end_without_blanks() {
        let text = columns(
            &["NAME", "KEY"],
            [
                ["orders".to_owned(), "/id".to_owned()],
                ["o".to_owned(), String::new()],
            ],
        );
        assert_eq!(text, "  NAME    KEY\n  orders  /id\n  o\n");
    }
}
