//! Named points at which a test can have this process kill itself.
//!
//! A crash test enumerates: it runs once with `STAUNCH_CRASH_LOG` to learn how many points a run passes, and then
//! once per number with `STAUNCH_CRASH_AT`. The kill is SIGKILL, so no destructor, buffer or exit handler runs.
//! Without the cargo feature `crash-points` all of this is an empty inline function.

/// Passes the point `name`; may not return when the process is told to die here.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

#[cfg(feature = "crash-points")]
pub use armed::point;

#[cfg(feature = "crash-points")]
mod armed {
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock};

    /// What the environment asked for, read once.
    struct Orders {
        kill_at: Option<u64>,
        log: Option<Mutex<File>>,
    }

    static PASSED: AtomicU64 = AtomicU64::new(0);
    static ORDERS: OnceLock<Orders> = OnceLock::new();

    /// Passes the point `name`: counts it, logs it, and kills the process if this is the one.
    ///
    /// # Panics
    /// When `STAUNCH_CRASH_AT` is not a number or `STAUNCH_CRASH_LOG` cannot be opened: a harness that was
    /// misread would otherwise test nothing.
    pub fn point(name: &'static str) {
        let orders = ORDERS.get_or_init(read);
        let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(log) = &orders.log {
            let line = format!("{number} {name}\n");
            let mut file = log
                .lock()
                .expect("nothing panics while it holds the crash log");
            file.write_all(line.as_bytes())
                .expect("the crash log can be written");
        }
        if orders.kill_at == Some(number) {
            die();
        }
    }

    fn read() -> Orders {
        let kill_at = std::env::var("STAUNCH_CRASH_AT")
            .ok()
            .map(|text| text.parse().expect("`STAUNCH_CRASH_AT` is a number"));
        let log = std::env::var_os("STAUNCH_CRASH_LOG").map(|path| {
            let file = File::options().create(true).append(true).open(path);
            Mutex::new(file.expect("`STAUNCH_CRASH_LOG` can be opened"))
        });
        Orders { kill_at, log }
    }

    fn die() -> ! {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal is on its way; nothing further may happen in this thread.
        loop {
            std::thread::park();
        }
    }
}
