//! Schedules: when a binding is read anew.
//!
//! A schedule is a cron expression of five fields, in UTC. What comes next is computed: from the month to the day to the minute,
//! so that no expression, however rare, and no state, however old, takes longer than a walk over the months of 400 years, after
//! which the calendar repeats itself. What is accepted, and what it means, is what captures in production have: where both days
//! are restricted either suffices, and a `*` in one makes it both. Two things are better defined here than there. A range may
//! wrap (`5-1` of weekdays is Friday to Monday), and steps count from where their range begins (`*/2` of days: 1, 3, 5, …).

mod watch;

use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

pub(crate) use watch::{InProgress, Scheduled, watch};

/// The Gregorian calendar, weekdays included, repeats itself after so many years.
const CALENDAR_MONTHS: u32 = 400 * 12;

/// When a binding is to be read anew: minutes, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// One bit for each.
    minutes: u64,
    hours: u32,
    days: u32,
    months: u16,
    weekdays: u8,
    /// Whether the day of the month or that of the week suffices.
    is_either_day: bool,
}

/// Why an expression is no schedule. Says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScheduleError {
    #[error(
        "has {0} fields; write five: minute, hour, day of the month, month and day of the week, as in `30 4 * * 1`"
    )]
    Fields(usize),
    #[error("has {what} in its {field}; write {example}")]
    Field {
        field: &'static str,
        what: &'static str,
        example: String,
    },
}

/// One of the five fields.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// How many values there are until they repeat.
    period: u32,
    /// Names of values, in order, from the first.
    names: &'static [&'static str],
}

const MINUTE: Field = Field {
    name: "minute",
    first: 0,
    last: 59,
    period: 60,
    names: &[],
};
const HOUR: Field = Field {
    name: "hour",
    first: 0,
    last: 23,
    period: 24,
    names: &[],
};
const DAY: Field = Field {
    name: "day of the month",
    first: 1,
    last: 31,
    period: 31,
    names: &[],
};
const MONTH: Field = Field {
    name: "month",
    first: 1,
    last: 12,
    period: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// Sunday is both 0 and 7.
const WEEKDAY: Field = Field {
    name: "day of the week",
    first: 0,
    last: 7,
    period: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Field {
    /// The values that `text` names, one bit for each.
    fn parse(&self, text: &str) -> Result<u64, ScheduleError> {
        let mut values = 0;
        for item in text.split(',') {
            values |= self.item(item)?;
        }
        Ok(values)
    }

    fn item(&self, item: &str) -> Result<u64, ScheduleError> {
        let (range, step) = match item.split_once('/') {
            None => (item, 1),
            Some((range, step)) => {
                let is_range = range == "*" || range.contains('-');
                match number(step) {
                    Some(step) if step > 0 && is_range => (range, step),
                    _ => return Err(self.wrong("a step that is none")),
                }
            }
        };
        let (from, to) = if range == "*" {
            (self.first, self.first + self.period - 1)
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, to) = (self.value(from)?, self.value(to)?);
            // One that wraps goes on where the values repeat.
            (from, if from > to { to + self.period } else { to })
        } else {
            let value = self.value(range)?;
            (value, value)
        };
        let steps = (from..=to).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        let bits = steps.map(|value| 1 << ((value - self.first) % self.period + self.first));
        Ok(bits.fold(0, |all, bit: u64| all | bit))
    }

    fn value(&self, text: &str) -> Result<u32, ScheduleError> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => u32::try_from(at).ok().map(|at| at + self.first),
            None => number(text),
        };
        value
            .filter(|value| (self.first..=self.last).contains(value))
            .ok_or_else(|| self.wrong("a value that it cannot have"))
    }

    fn wrong(&self, what: &'static str) -> ScheduleError {
        let (first, last) = (self.first, self.last);
        ScheduleError::Field {
            field: self.name,
            what,
            example: format!(
                "`*`, values from {first} to {last}, ranges of them, or steps as in `*/2` and `{first}-{last}/2`, with commas between"
            ),
        }
    }
}

/// Digits alone: no sign, no blank.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Reads a cron expression: fields of numbers, names (`mon`, `jan`), ranges, steps and lists, with any blanks between.
    fn from_str(expression: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        let low = |bits: u64| u32::try_from(bits).expect("no value but a minute is beyond 31");
        Ok(Self {
            minutes: MINUTE.parse(minute)?,
            hours: low(HOUR.parse(hour)?),
            days: low(DAY.parse(day)?),
            months: u16::try_from(MONTH.parse(month)?).expect("there are twelve months"),
            weekdays: u8::try_from(WEEKDAY.parse(weekday)?).expect("there are seven weekdays"),
            is_either_day: !day.contains('*') && !weekday.contains('*'),
        })
    }
}

impl Schedule {
    /// The schedule that a configuration has. An empty expression is none.
    pub(crate) fn of(expression: &str) -> Result<Option<Self>, ScheduleError> {
        match expression.trim() {
            "" => Ok(None),
            expression => expression.parse().map(Some),
        }
    }

    /// Whether it comes round at all. One of the 31st of February does not: captures in production may have it, and run.
    pub(crate) fn comes_round(&self) -> bool {
        self.next_after(Timestamp::UNIX_EPOCH).is_some()
    }

    /// When it comes round for the first time strictly after `after`. None for a day that there never is, and in the last years that there are.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = TimeZone::UTC.to_datetime(after);
        let (today, time) = (after.date(), after.time());
        if self.is_day(today)
            && let Some(at) = self.time_after(time)
        {
            return on(today, at);
        }
        let day = self.day_after(today)?;
        let midnight = self.first_time();
        on(day, midnight)
    }

    /// The first day after `day`.
    fn day_after(&self, day: Date) -> Option<Date> {
        let mut month = day.first_of_month();
        let mut last = u32::try_from(day.day()).expect("days count from 1");
        for _ in 0..=CALENDAR_MONTHS {
            // Bits of days up to `last` are gone.
            let rest = self.days_of(month) & u32::MAX.checked_shl(last + 1).unwrap_or(0);
            if rest != 0 {
                let day = i8::try_from(rest.trailing_zeros()).expect("a month has 31 days");
                return Some(
                    month
                        .with()
                        .day(day)
                        .build()
                        .expect("the month has the day"),
                );
            }
            month = month.checked_add(1.month()).ok()?;
            last = 0;
        }
        None
    }

    /// The days of a month, one bit for each.
    fn days_of(&self, first: Date) -> u32 {
        if self.months & 1 << first.month() == 0 {
            return 0;
        }
        let there_are = u32::MAX >> (31 - first.days_in_month()) & !1;
        let mut of_week = 0;
        let begins = first.weekday().to_sunday_zero_offset();
        for weekday in 0..7 {
            if self.weekdays & 1 << weekday != 0 {
                // Of the first week, and then of all that follow.
                let day = 1 + (weekday - begins).rem_euclid(7);
                of_week |= (0..5).fold(0, |days, week| days | 1_u64 << (day + 7 * week));
            }
        }
        let of_week = of_week as u32; // What is beyond is of the next month.
        let days = match self.is_either_day {
            true => self.days | of_week,
            false => self.days & of_week,
        };
        days & there_are
    }

    fn is_day(&self, day: Date) -> bool {
        self.days_of(day.first_of_month()) & 1 << day.day() != 0
    }

    /// The first minute of a day.
    fn first_time(&self) -> Time {
        time(self.hours.trailing_zeros(), self.minutes.trailing_zeros())
    }

    /// The first minute of a day that begins after `after`.
    fn time_after(&self, after: Time) -> Option<Time> {
        let (hour, minute) = (after.hour(), after.minute());
        let minutes = self.minutes & (u64::MAX << minute << 1);
        if self.hours & 1 << hour != 0 && minutes != 0 {
            return Some(time(
                u32::from(hour.unsigned_abs()),
                minutes.trailing_zeros(),
            ));
        }
        let hours = self.hours & (u32::MAX << hour << 1);
        (hours != 0).then(|| time(hours.trailing_zeros(), self.minutes.trailing_zeros()))
    }
}

fn time(hour: u32, minute: u32) -> Time {
    let of = |value: u32| i8::try_from(value).expect("a field has a value, and it is in range");
    Time::new(of(hour), of(minute), 0, 0).expect("fields have values in range")
}

fn on(day: Date, at: Time) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(day.to_datetime(at)).ok()
}

#[cfg(test)]
mod tests;
