//! `staunch doctor`: whether a project is well.

use serde::Serialize;
use staunch_runtime::doctor::{self, Examined, Health};

use crate::args::DoctorArgs;
use crate::context::Context;
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{GREEN, Glyphs, RED, Report, YELLOW, clean_line, styled};
use crate::quantity::counted;

#[derive(Serialize)]
struct DoctorReport {
    examined: Vec<Examined>,
}

pub(crate) fn run(context: &Context, args: &DoctorArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Check)?;
    let report = DoctorReport {
        examined: doctor::examine(&project, args.deep),
    };
    let exit = context.output.answer(&report)?;
    context.output.note(&report.summary());
    Ok(exit)
}

impl DoctorReport {
    fn count(&self, health: Health) -> u64 {
        let examined = self.examined.iter();
        examined
            .filter(|examined| examined.health == health)
            .count() as u64
    }
}

impl Report for DoctorReport {
    const COMMAND: &'static str = "doctor";

    fn summary(&self) -> String {
        match (self.count(Health::Bad), self.count(Health::Odd)) {
            (0, 0) => "all is well".to_owned(),
            (0, odd) => format!("{} to look at, and nothing wrong", counted(odd, "thing")),
            (bad, _) => format!("{} wrong", counted(bad, "thing")),
        }
    }

    fn text(&self, glyphs: &Glyphs) -> String {
        let mut text = String::new();
        for examined in &self.examined {
            let (style, glyph) = match examined.health {
                Health::Good => (GREEN, glyphs.good),
                Health::Odd => (YELLOW, glyphs.warning),
                Health::Bad => (RED, glyphs.bad),
            };
            let about = examined
                .capture
                .as_ref()
                .map(|capture| format!("{capture}: "));
            let line = format!(
                "{}{}: {}",
                about.unwrap_or_default(),
                examined.what,
                examined.detail
            );
            text.push_str(&format!("{} {}\n", styled(style, glyph), clean_line(&line)));
        }
        text
    }

    fn exit(&self) -> Exit {
        match self.count(Health::Bad) {
            0 => Exit::Success,
            _ => Exit::Findings,
        }
    }
}
