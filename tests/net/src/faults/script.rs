//! What is answered when: in turn, or spoilt at random.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Asked, Coding, Fault, encoded};
use crate::random::Random;

/// Answers one after the other, and the last one from then on.
///
/// # Panics
/// When asked, if there are none.
pub fn in_turn(answers: Vec<Answer>) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| {
        let nth = usize::try_from(asked.nth).unwrap_or(usize::MAX);
        let answer = answers.get(nth).or(answers.last());
        answer.expect("there is an answer").clone()
    }
}

/// Does to good answers what servers and networks do: the same for the same seed and the same order of requests.
///
/// A client that asks again until it has a whole answer of status 200, and follows redirects, comes to the end of whatever it reads.
/// A length that is too short shows only where the body ends itself, so that is done to encoded bodies alone.
#[derive(Debug)]
pub struct Spoiler {
    random: Mutex<Random>,
    percent: u64,
    patience: Duration,
}

impl Spoiler {
    /// Spoils this many of a hundred answers. Some of them are late: by twice the time that a client waits for anything.
    #[must_use]
    pub fn new(seed: u64, percent: u64, patience: Duration) -> Self {
        Self {
            random: Mutex::new(Random::new(seed)),
            percent,
            patience,
        }
    }

    /// What becomes of an answer to this.
    pub fn spoil(&self, asked: &Asked, answer: Answer) -> Answer {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if !random.happens(self.percent) {
            return answer;
        }
        match random.below(100) {
            // These take their time, so they are rare.
            0 if random.happens(10) => answer.fault(Fault::Silence(2 * self.patience)),
            1 if random.happens(10) => answer.fault(Fault::SilenceInBody(2 * self.patience)),
            0..30 => refusal(&mut random, asked),
            30..60 => in_coding(&mut random, answer),
            _ => answer.fault(*random.one_of(&FAULTS)),
        }
    }
}

/// What can be done to any answer.
const FAULTS: [Fault; 18] = [
    Fault::ResetAtOnce,
    Fault::ResetInHead,
    Fault::ResetInBody,
    Fault::HalfBody,
    Fault::LongLength,
    Fault::TwoLengths,
    Fault::ChunksAndLength,
    Fault::ChunksWithoutEnd,
    Fault::BrokenChunk,
    Fault::Chunks,
    Fault::UntilClosed,
    Fault::Garbage,
    Fault::LargeHead(450_000),
    Fault::Drip(40, Duration::from_millis(1)),
    Fault::DripHead(40, Duration::from_millis(1)),
    Fault::CloseAfter,
    Fault::CloseLater(Duration::ZERO),
    Fault::CloseLater(Duration::from_millis(1)),
];

/// An answer that is none to go on with, yet.
fn refusal(random: &mut Random, asked: &Asked) -> Answer {
    match random.below(10) {
        0 => Answer::new(500, "").fault(Fault::CloseAfter),
        1 => Answer::new(502, vec![0xff; 300]).fault(Fault::HalfBody),
        2 => Answer::new(503, "<html>not now</html>").header("content-encoding", "gzip"), // It is not.
        3 => Answer::new(503, "not now").header("content-encoding", "x-unknown"),
        4 => Answer::new(504, "").header("retry-after", 0),
        5 | 6 => Answer::new(429, "too many"),
        7 => Answer::new(429, "").header("retry-after", 0),
        _ => {
            let status = *random.one_of(&[301, 302, 303, 307, 308]);
            Answer::new(status, "over there").header("location", &asked.target)
        }
    }
}

/// The answer in one or two codings, as it should be or not.
fn in_coding(random: &mut Random, mut answer: Answer) -> Answer {
    let codings = [*random.one_of(&Coding::ALL), *random.one_of(&Coding::ALL)];
    let codings = &codings[..=random.below(2) as usize];
    for coding in codings {
        answer.body = encoded(&answer.body, *coding);
    }
    let names: Vec<_> = codings.iter().map(|coding| coding.name()).collect();
    let length = answer.body.len();
    let how = random.below(10);
    match how {
        0 => answer.body.truncate(length - 1),
        1 => answer.body.truncate(length / 2 + 1),
        2 => answer.body.push(b'x'),
        3 => answer.body = b"{}".to_vec(), // In no coding at all.
        4 => answer.fault = Fault::ShortLength,
        5 => answer.fault = *random.one_of(&FAULTS),
        _ => {}
    }
    answer.is_spoilt = how < 4;
    answer.header("content-encoding", names.join(", "))
}
