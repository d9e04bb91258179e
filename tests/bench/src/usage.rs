//! What a process took, told by itself at its end.
//!
//! The system counts a child's CPU time to a hundredth of a second, which is too coarse here, and forgets its memory when it
//! ends. So each process that is measured writes a file of its own into the folder that [`DIR_VARIABLE`] names.

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Names the folder for [`report`]. Unset, nothing is reported.
pub const DIR_VARIABLE: &str = "STAUNCH_BENCH_USAGE";

/// What processes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// On any core, in user space and in the system.
    pub cpu: Duration,
    /// The most memory that was resident, of several processes their sum.
    pub peak_kib: u64,
    /// How many processes there were.
    pub processes: u32,
}

/// Reports what this process took so far. Call it last.
///
/// # Panics
/// When the report cannot be written: a measurement without it would be wrong.
pub fn report() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else {
        return;
    };
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let status =
        std::fs::read_to_string("/proc/self/status").expect("a process can read its own status");
    let peak = status_kib(&status, "VmHWM:").expect("a status has the peak of memory");
    let text = format!("{} {} {peak}\n", cpu.tv_sec, cpu.tv_nsec);
    let file = Path::new(&dir).join(std::process::id().to_string());
    std::fs::write(file, text).expect("the folder of reports can be written to");
}

/// Adds up the reports in `dir`, and removes them.
///
/// # Errors
/// When one cannot be read.
pub fn collect(dir: &Path) -> std::io::Result<Usage> {
    let mut sum = Usage::default();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let mut numbers = text.split_whitespace().map(|word| word.parse::<u64>().ok());
        let (Some(Some(seconds)), Some(Some(nanos)), Some(Some(peak))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(std::io::Error::other(format!(
                "`{}` is no report",
                path.display()
            )));
        };
        sum.cpu += Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        sum.peak_kib += peak;
        sum.processes += 1;
        std::fs::remove_file(path)?;
    }
    Ok(sum)
}

/// A quantity out of `/proc/<pid>/status`.
#[must_use]
pub fn status_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
