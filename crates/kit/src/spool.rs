//! Where a sequence waits until its checkpoint: in memory first, in a temporary file beyond a bound.
//!
//! Several tasks capture at once, yet what each captured since its last checkpoint must leave as one unbroken run. So every task
//! fills a spool of its own. All spools of a session draw on one budget of memory; a task that finds it used up, or that holds
//! [`SPOOL_BYTES`] already, moves what it holds to a file. The file has no name, so it vanishes however the process ends.
//! It is in the folder that `TMPDIR` names: a disk, since on a tmpfs it would be memory again.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What one task may hold in memory. A page of 1,000 documents of 2.5 kB fits.
pub(crate) const SPOOL_BYTES: usize = 4 << 20;

/// What all tasks of a session together may hold in memory, apart from [`SPOOL_STEP_BYTES`] for each that is capturing.
pub(crate) const SESSION_BYTES: usize = 8 << 20;

/// What every task may hold whatever the others do, and by how much it asks for more.
pub(crate) const SPOOL_STEP_BYTES: usize = 256 << 10;

/// How many written buffers are kept to be filled again.
const SPARE_BUFFERS: usize = 2;

/// The memory that a session's spools share.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(bytes),
            spare: Mutex::default(),
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::AcqRel);
    }

    fn buffer(&self) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() > SPOOL_BYTES + SPOOL_STEP_BYTES {
            return; // One huge document made it: that much is not kept for ever.
        }
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }
}

/// Where a sequence goes.
pub(crate) trait Out: Write + Send + 'static {
    /// Writes what is left of a file.
    fn write_file(&mut self, file: &mut File) -> io::Result<()>
    where
        Self: Sized,
    {
        copy(file, self)
    }
}

impl Out for Vec<u8> {}

impl Out for Box<dyn Write + Send> {}

impl Out for File {
    /// The system hands it on by itself, where it can: nobody changes the file any more, so that not even a copy is needed.
    #[cfg(target_os = "linux")]
    fn write_file(&mut self, file: &mut File) -> io::Result<()> {
        use rustix::io::Errno;

        loop {
            match rustix::fs::sendfile(&*self, &*file, None, 1 << 30) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::INVAL | Errno::NOSYS) => return copy(file, self), // Not from, or into, such a file.
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn copy(file: &mut File, out: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; SPOOL_STEP_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            n => out.write_all(&chunk[..n])?,
        }
    }
}

/// The messages of one sequence, in order.
#[derive(Debug)]
pub(crate) struct Spool {
    budget: Arc<Budget>,
    buffer: Vec<u8>,
    /// How much of `buffer` was taken from the budget.
    taken: usize,
    file: Option<File>,
    file_bytes: u64,
}

impl Spool {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            buffer: Vec::new(),
            taken: 0,
            file: None,
            file_bytes: 0,
        }
    }

    /// The end of the sequence so far, to append a message to. [`settle`](Self::settle) must follow.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.borrow_buffer();
        }
        &mut self.buffer
    }

    /// Apart, as it is for the first message of many.
    #[cold]
    fn borrow_buffer(&mut self) {
        self.buffer = self.budget.buffer();
    }

    /// Keeps to the bound, after a message was appended.
    #[inline]
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if self.buffer.len() <= SPOOL_STEP_BYTES + self.taken {
            return Ok(());
        }
        self.grow_or_spill()
    }

    #[cold]
    fn grow_or_spill(&mut self) -> io::Result<()> {
        while self.buffer.len() > SPOOL_STEP_BYTES + self.taken {
            let may_grow = self.taken + SPOOL_STEP_BYTES < SPOOL_BYTES && self.file.is_none();
            if may_grow && self.budget.take(SPOOL_STEP_BYTES) {
                self.taken += SPOOL_STEP_BYTES;
            } else {
                return self.spill();
            }
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all(&self.buffer)?;
        self.file_bytes += self.buffer.len() as u64;
        self.release();
        Ok(())
    }

    /// Empties the memory, and gives it back.
    fn release(&mut self) {
        self.budget.give_back(std::mem::take(&mut self.taken));
        self.budget.recycle(std::mem::take(&mut self.buffer));
    }

    /// Hands over the whole sequence, and leaves the spool empty.
    pub(crate) fn take(&mut self) -> Spool {
        let budget = Arc::clone(&self.budget);
        std::mem::replace(self, Spool::new(&budget))
    }

    /// Forgets the sequence.
    pub(crate) fn clear(&mut self) {
        drop(self.take());
    }

    /// Adds a sequence behind this one. It is in memory.
    #[cfg(feature = "webhook")]
    pub(crate) fn append(&mut self, next: Spool) -> io::Result<()> {
        debug_assert!(next.is_in_memory());
        self.buffer().extend_from_slice(&next.buffer);
        drop(next); // First: what it took of the budget may be needed here.
        self.settle()
    }

    #[cfg(feature = "webhook")]
    pub(crate) fn is_in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// How many bytes wait in memory.
    #[cfg(feature = "webhook")]
    pub(crate) fn memory(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> u64 {
        self.file_bytes + self.buffer.len() as u64
    }

    /// Writes the whole sequence, in order.
    pub(crate) fn write_to(&mut self, out: &mut impl Out) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.rewind()?;
            out.write_file(&mut file)?;
        }
        out.write_all(&self.buffer)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    fn fill(spool: &mut Spool, messages: std::ops::Range<usize>) -> Vec<u8> {
        let mut expected = Vec::new();
        for n in messages {
            let line = format!("{n:>1000}\n");
            spool.buffer().extend_from_slice(line.as_bytes());
            spool.settle().unwrap();
            expected.extend_from_slice(line.as_bytes());
        }
        expected
    }

    #[test]
    fn a_sequence_leaves_in_the_order_it_came_whether_or_not_it_spilled() {
        for messages in [0, 1, 300, 5_000, 12_000] {
            let mut spool = Spool::new(&Budget::new(SESSION_BYTES));
            let expected = fill(&mut spool, 0..messages);
            assert_eq!(spool.len(), expected.len() as u64);
            let mut written = Vec::new();
            spool.write_to(&mut written).unwrap();
            assert!(written == expected, "{messages} messages");
        }
    }

    #[test]
    fn a_sequence_leaves_whole_into_a_pipe_into_a_file_and_behind_what_a_file_has() {
        let spilled = |messages| {
            let mut spool = Spool::new(&Budget::new(SESSION_BYTES));
            let expected = fill(&mut spool, 0..messages);
            assert!(spool.file.is_some());
            (spool, expected)
        };
        let (mut spool, expected) = spilled(7_000);
        let (mut reader, writer) = io::pipe().unwrap();
        let read = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            read
        });
        let mut pipe = File::from(OwnedFd::from(writer));
        spool.write_to(&mut pipe).unwrap();
        drop((pipe, spool));
        assert!(read.join().unwrap() == expected);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut all = Vec::new();
        for _ in 0..2 {
            // The system refuses to hand anything on to a file that is only appended to.
            let mut file = File::options()
                .create(true)
                .append(true)
                .open(&path)
                .unwrap();
            let (mut spool, expected) = spilled(5_000);
            spool.write_to(&mut file).unwrap();
            all.extend(expected);
        }
        assert!(std::fs::read(&path).unwrap() == all);
        let mut file = File::create(&path).unwrap();
        let (mut spool, expected) = spilled(6_000);
        spool.write_to(&mut file).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    }

    #[test]
    fn memory_stays_within_the_bound_of_a_task() {
        let mut spool = Spool::new(&Budget::new(SESSION_BYTES));
        for n in 0..20_000 {
            fill(&mut spool, n..n + 1);
            assert!(spool.buffer.len() <= SPOOL_BYTES);
        }
        assert!(spool.file.is_some());
    }

    #[test]
    fn tasks_share_a_budget_and_give_it_back() {
        let budget = Budget::new(2 * SPOOL_STEP_BYTES);
        let mut first = Spool::new(&budget);
        fill(&mut first, 0..700);
        assert!(first.file.is_none());
        let mut second = Spool::new(&budget);
        fill(&mut second, 0..700);
        assert!(second.file.is_some(), "the first holds all there is");
        drop((first, second));
        assert_eq!(budget.left.load(Ordering::Acquire), 2 * SPOOL_STEP_BYTES);
    }
}
