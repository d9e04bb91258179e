//! The checks of one binding, each by itself: what is always a bug, whatever the consent.

/// What is checked of each binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// A state key that had state has some, or that is declared.
    BindingKept,
    /// Members that the migration is not about are what they were.
    SiblingsKept,
    /// A cursor is no later than what it was made from.
    CursorProvenance,
    /// A cursor is of the type and granularity that it was.
    CursorKindKept,
    /// An unfinished backfill goes on, a finished one stays finished.
    BackfillKept,
    /// What the last snapshot held is known.
    SnapshotKept,
}

/// Which checks are made. All of them, but in the tests that show what each is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checks {
    left_out: Option<Check>,
}

impl Check {
    pub(super) const fn all() -> Checks {
        Checks { left_out: None }
    }

    #[cfg(test)]
    pub(super) const fn all_but(self) -> Checks {
        Checks {
            left_out: Some(self),
        }
    }
}

impl Checks {
    pub(super) fn has(self, check: Check) -> bool {
        self.left_out != Some(check)
    }
}

#[cfg(test)]
mod tests;
