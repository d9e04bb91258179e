//! What is searched for: `updated_at:>='2026-01-01T00:00:00Z' AND NOT status:draft`.
//!
//! Terms on fields that a list does not know are passed over, as are times that make no sense; the answer warns of both.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::time::{self, Micros, SECOND};

/// A search, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// Everything.
    All,
    And(Vec<Search>),
    Or(Vec<Search>),
    Not(Box<Search>),
    Term(Term),
}

/// `field:>=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) field: String,
    comparison: Comparison,
    value: String,
    is_quoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a record has of a field that is searched.
pub(crate) enum Has {
    Time(Micros),
    Number(u64),
    Text(String),
}

/// How a search is read and compared.
pub(crate) struct Rules<'a> {
    /// Fields that are known.
    pub(crate) searched: &'a [&'a str],
    /// The shop's, in which a day begins.
    pub(crate) zone: &'a TimeZone,
    /// Whether times are compared by whole seconds only.
    pub(crate) compares_seconds: bool,
}

/// A value that cannot be searched for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadValue(pub(crate) String);

impl Search {
    /// Reads a search.
    pub(crate) fn parse(text: &str) -> Search {
        let mut reader = Reader {
            tokens: tokens(text),
            at: 0,
        };
        let mut all = Vec::new();
        // What is left after a closing parenthesis that none opened is read on.
        while reader.at < reader.tokens.len() {
            all.push(reader.or());
            reader.at += usize::from(reader.at < reader.tokens.len());
        }
        joined(all, Search::And)
    }

    /// What is wrong with it, and what the answer warns of.
    pub(crate) fn check(&self, rules: &Rules<'_>) -> Result<Vec<Value>, BadValue> {
        let mut warnings = Vec::new();
        self.each(&mut |term| {
            let warning = |code: &str, message: String| json!({ "field": term.field, "message": message, "code": code });
            if !rules.searched.contains(&term.field.as_str()) {
                let message = "Invalid search field for this query.".to_owned();
                warnings.push(warning("invalid_field", message));
            } else if is_time(&term.field) && term.time(rules).is_none() {
                if term.field == "created_at" {
                    let value = &term.value;
                    return Err(BadValue(format!("`{value}` is no time to search created_at for")));
                }
                let message = format!("Input `{}` is not an accepted value.", term.value);
                warnings.push(warning("invalid_value", message));
            }
            Ok(())
        })?;
        Ok(warnings)
    }

    fn each<E>(&self, look: &mut impl FnMut(&Term) -> Result<(), E>) -> Result<(), E> {
        match self {
            Search::All => Ok(()),
            Search::And(all) | Search::Or(all) => all.iter().try_for_each(|one| one.each(look)),
            Search::Not(one) => one.each(look),
            Search::Term(term) => look(term),
        }
    }

    /// Whether a record is meant that has this.
    pub(crate) fn finds(&self, rules: &Rules<'_>, has: &impl Fn(&str) -> Option<Has>) -> bool {
        match self {
            Search::All => true,
            Search::And(all) => all.iter().all(|one| one.finds(rules, has)),
            Search::Or(all) => all.iter().any(|one| one.finds(rules, has)),
            Search::Not(one) => !one.finds(rules, has),
            Search::Term(term) => term.finds(rules, has),
        }
    }

    /// The bounds of a time that are certain: of terms that all must hold. For the log.
    pub(crate) fn bounds(&self, field: &str) -> (Option<String>, Option<String>) {
        let mut bounds = (None, None);
        if let Search::And(all) = self {
            for one in all {
                if let Search::Term(term) = one
                    && term.field == field
                {
                    match term.comparison {
                        Comparison::Greater | Comparison::GreaterOrEqual => {
                            bounds.0 = Some(term.value.clone());
                        }
                        Comparison::Less | Comparison::LessOrEqual => {
                            bounds.1 = Some(term.value.clone());
                        }
                        Comparison::Equal => {}
                    }
                }
            }
        }
        bounds
    }

    /// Whether there is a term on this field.
    pub(crate) fn has_term(&self, field: &str) -> bool {
        self.each(&mut |term| match term.field == field {
            true => Err(()),
            false => Ok(()),
        })
        .is_err()
    }
}

impl Term {
    /// The time that is meant. Without quotes, all but the date is lost.
    fn time(&self, rules: &Rules<'_>) -> Option<Micros> {
        if self.is_quoted && self.value.len() > "2026-01-01".len() {
            return time::parse(&self.value);
        }
        time::midnight(self.value.get(.."2026-01-01".len())?, rules.zone)
    }

    fn finds(&self, rules: &Rules<'_>, has: &impl Fn(&str) -> Option<Has>) -> bool {
        if !rules.searched.contains(&self.field.as_str()) {
            return true;
        }
        match has(&self.field) {
            None => false,
            Some(Has::Time(at)) => match self.time(rules) {
                None => true,
                Some(wanted) => {
                    let at = match rules.compares_seconds {
                        true => at.div_euclid(SECOND) * SECOND,
                        false => at,
                    };
                    self.comparison.holds(&at, &wanted)
                }
            },
            Some(Has::Number(number)) => {
                let wanted = self
                    .value
                    .rsplit('/')
                    .next()
                    .and_then(|text| text.parse().ok());
                wanted.is_some_and(|wanted| self.comparison.holds(&number, &wanted))
            }
            Some(Has::Text(text)) => {
                let [text, wanted] = [&text, &self.value].map(|text| text.to_lowercase());
                self.comparison.holds(&text, &wanted)
            }
        }
    }
}

fn is_time(field: &str) -> bool {
    field.ends_with("_at") || field.ends_with("_date")
}

impl Comparison {
    fn holds<T: Ord>(self, has: &T, wanted: &T) -> bool {
        match self {
            Comparison::Equal => has == wanted,
            Comparison::Less => has < wanted,
            Comparison::LessOrEqual => has <= wanted,
            Comparison::Greater => has > wanted,
            Comparison::GreaterOrEqual => has >= wanted,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(Term),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '-' => (Token::Not, 1),
            _ => word(rest),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// A word or a term, and how long it is.
fn word(text: &str) -> (Token, usize) {
    let ends = |c: char| c.is_whitespace() || c == '(' || c == ')';
    let bare = |text: &str| text.find(ends).unwrap_or(text.len());
    let plain = &text[..bare(text)];
    match plain {
        "AND" => return (Token::And, plain.len()),
        "OR" => return (Token::Or, plain.len()),
        "NOT" => return (Token::Not, plain.len()),
        _ => {}
    }
    let Some((field, rest)) = text
        .split_once(':')
        .filter(|(field, _)| field.find(ends).is_none())
    else {
        // A word without a field: it is searched for everywhere, which nothing here does.
        let term = Term {
            field: "default".to_owned(),
            comparison: Comparison::Equal,
            value: plain.to_owned(),
            is_quoted: false,
        };
        return (Token::Term(term), plain.len().max(1));
    };
    let comparisons = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("", Comparison::Equal),
    ];
    let found = comparisons.iter().find(|(sign, _)| rest.starts_with(sign));
    let (sign, comparison) = found.copied().unwrap_or(("", Comparison::Equal));
    let begins = field.len() + 1 + sign.len();
    let rest = &text[begins..];
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let (value, length) = match quote {
        Some(quote) => {
            let inner = &rest[1..];
            let end = inner.find(quote).unwrap_or(inner.len());
            (inner[..end].trim(), (end + 2).min(rest.len()))
        }
        None => {
            let end = bare(rest);
            (&rest[..end], end)
        }
    };
    let term = Term {
        field: field.to_owned(),
        comparison,
        value: value.to_owned(),
        is_quoted: quote.is_some(),
    };
    (Token::Term(term), begins + length)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn next_is(&self, token: &Token) -> bool {
        self.tokens.get(self.at) == Some(token)
    }

    fn or(&mut self) -> Search {
        let mut all = vec![self.and()];
        while self.next_is(&Token::Or) {
            self.at += 1;
            all.push(self.and());
        }
        joined(all, Search::Or)
    }

    fn and(&mut self) -> Search {
        let mut all = Vec::new();
        loop {
            match self.tokens.get(self.at) {
                None | Some(Token::Or | Token::Close) => break,
                Some(Token::And) => self.at += 1, // One that is doubled does no harm.
                Some(_) => all.push(self.one()),
            }
        }
        joined(all, Search::And)
    }

    fn one(&mut self) -> Search {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Not) => Search::Not(Box::new(self.one())),
            Some(Token::Open) => {
                let inner = self.or();
                self.at += usize::from(self.next_is(&Token::Close));
                inner
            }
            Some(Token::Term(term)) => Search::Term(term),
            _ => Search::All,
        }
    }
}

fn joined(mut all: Vec<Search>, join: fn(Vec<Search>) -> Search) -> Search {
    match all.len() {
        0 => Search::All,
        1 => all.remove(0),
        _ => join(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCHED: [&str; 4] = ["updated_at", "created_at", "status", "id"];

    fn finds(search: &str, at: &str, status: &str) -> bool {
        let zone = TimeZone::get("America/New_York").expect("there is such a zone");
        let rules = Rules {
            searched: &SEARCHED,
            zone: &zone,
            compares_seconds: false,
        };
        let at = time::parse(at).expect("it is a time");
        Search::parse(search).finds(&rules, &|field| match field {
            "updated_at" => Some(Has::Time(at)),
            "id" => Some(Has::Number(7)),
            _ => Some(Has::Text(status.to_owned())),
        })
    }

    #[test]
    fn both_ends_of_a_span_are_part_of_it_to_the_microsecond() {
        let span = "updated_at:>='2026-01-01T00:00:00Z' AND updated_at:<='2026-01-02T00:00:00Z'";
        assert!(finds(span, "2026-01-01T00:00:00Z", "x"));
        assert!(finds(span, "2026-01-02T00:00:00Z", "x"));
        assert!(!finds(span, "2026-01-02T00:00:00.000001Z", "x"));
        assert!(!finds(span, "2025-12-31T23:59:59.999999Z", "x"));
    }

    #[test]
    fn a_time_without_quotes_is_midnight_in_the_zone_of_the_shop() {
        let unquoted = "updated_at:>=2026-01-01T12:00:00Z";
        assert!(finds(unquoted, "2026-01-01T05:00:00Z", "x"));
        assert!(!finds(unquoted, "2026-01-01T04:59:59Z", "x"));
    }

    #[test]
    fn terms_are_joined_as_they_say() {
        let at = "2026-01-01T00:00:00Z";
        for (search, expected) in [
            ("", true),
            ("status:open", true),
            ("status:OPEN", true),
            ("status:closed", false),
            ("NOT status:closed", true),
            ("-status:open", false),
            ("status:closed OR status:open", true),
            ("(status:closed OR status:open) AND id:8", false),
            ("(status:closed OR status:open) AND AND id:7", true),
            ("status:open id:>7", false),
            ("status:open id:gid://shopify/X/7", true),
            ("status:\"open\" unknown:nonsense", true),
            (")", true),
            ("(((", true),
            ("'", true),
        ] {
            assert_eq!(finds(search, at, "open"), expected, "{search}");
        }
    }

    #[test]
    fn what_is_not_understood_is_warned_of() {
        let rules = Rules {
            searched: &SEARCHED,
            zone: &TimeZone::UTC,
            compares_seconds: false,
        };
        let check = |search| Search::parse(search).check(&rules);
        let warnings = check("type:QUERY updated_at:>='soon'").expect("it is no error");
        assert_eq!(warnings[0]["code"], "invalid_field");
        assert_eq!(warnings[1]["code"], "invalid_value");
        assert!(check("created_at:>'soon'").is_err());
        assert_eq!(check("id:7"), Ok(Vec::new()));
    }
}
