//! Why a verb failed, as it is told: a stable code, what happened, and what to do next.

use std::error::Error;

use staunch_runtime::RunError;
use staunch_runtime::catalog::CatalogError;

use crate::exit::{Asked, Exit, exit};

/// A failure, ready to be printed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: &'static str,
    pub(crate) capture: Option<String>,
    /// What happened and what to do about it; may have several lines.
    pub(crate) message: String,
    /// Why it happened, the nearest cause first.
    pub(crate) causes: Vec<String>,
    /// What to do next, where only the command can know.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let exit = exit(code, Asked::Other);
        let message = message.into();
        Self {
            exit,
            code,
            capture: None,
            message,
            causes: Vec::new(),
            hint: None,
        }
    }

    /// A file of the user's, or standard output, could not be written.
    pub(crate) fn write(what: &str, error: &std::io::Error) -> Self {
        Self {
            causes: vec![error.to_string()],
            ..Self::new(
                "io.write",
                format!("writing {what} failed; check that it can be written"),
            )
        }
    }

    pub(crate) fn of(error: &RunError, asked: Asked) -> Self {
        Self {
            exit: exit(error.code(), asked),
            causes: causes(error),
            ..Self::new(error.code(), error.to_string())
        }
    }

    pub(crate) fn catalog(error: &CatalogError, asked: Asked) -> Self {
        Self {
            exit: exit(error.code(), asked),
            causes: causes(error),
            ..Self::new(error.code(), error.to_string())
        }
    }

    /// A catalog or `staunch.yaml` that cannot be loaded: the capture that it names wrongly was not typed.
    pub(crate) fn loading(error: &RunError, asked: Asked) -> Self {
        let failure = Self::of(error, asked);
        match (error, asked) {
            (RunError::Catalog(CatalogError::UnknownCapture { .. }), Asked::Check) => Self {
                exit: Exit::Findings,
                ..failure
            },
            _ => failure,
        }
    }

    pub(crate) fn about(self, capture: &str) -> Self {
        Self {
            capture: Some(capture.to_owned()),
            ..self
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// What happened and why, on one line.
    pub(crate) fn whole_message(&self) -> String {
        let causes = self.causes.iter().map(String::as_str);
        std::iter::once(self.message.as_str())
            .chain(causes)
            .collect::<Vec<_>>()
            .join(": ")
    }
}

fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .map(ToString::to_string)
        .collect()
}
