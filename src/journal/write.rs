//! The run's own journal: written under load, by every worker, without a lock of ours.
//!
//! Each write is one call that appends whole lines: the kernel keeps those of several workers apart, and what it has
//! taken survives the end of the process, however that comes. It does not survive a loss of power before the disk has
//! it; waiting for the disk under load would hold up the load.
//!
//! Up to [`AT_ONCE`] times in each [`PERIOD`] a worker writes a line the moment that there is one. Beyond that rate
//! lines wait for the end of the period, and are written together: so the number of calls has a bound, however many
//! things a fast load creates.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;

use super::line::{DatabaseCleanup, Undo, beginning, put_end, put_made, put_refused, put_sent, put_undone};
use super::read::{Journal, ReadError, read};
use super::seal::Seal;
use crate::plan::{Plan, StepId};

/// How long a line may wait to be written, which is what a SIGKILL can take of a fast run.
pub const PERIOD: Duration = Duration::from_millis(5);

/// How many lines are written at once in a period: at most 1,600 writes of a single line a second.
pub const AT_ONCE: u32 = 8;

/// Lines are written once there are so many bytes of them.
const MOST_WAITING: usize = 16 * 1024;

/// The journal of a run; its clones write to the same. One that leads nowhere writes nothing.
#[derive(Clone, Default)]
pub struct Writer(Option<Arc<Shared>>);

struct Shared {
    path: PathBuf,
    file: File,
    seal: Seal,
    /// How many bytes the first lines have, which say nothing of what was created.
    beginning: u64,
    numbers: AtomicU64,
    /// Requests without an answer, and things made and not undone.
    unanswered: AtomicI64,
    left: AtomicI64,
    /// Whether the last write ended within a line.
    is_torn: AtomicBool,
    trouble: OnceLock<io::Error>,
}

/// A worker's own hand in the journal.
pub struct Pen {
    shared: Option<Arc<Shared>>,
    waiting: Vec<u8>,
    /// How many lines may still be written at once.
    allowance: u32,
}

impl Writer {
    /// One that writes nothing: for plans that create nothing that could be undone.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Begins the journal of a run, where there is none; nothing, for a plan without an `undo`. `database` is for a
    /// run that deletes from the database what is left.
    pub fn create(path: &Path, plan: &Plan, database: Option<&DatabaseCleanup>) -> io::Result<Self> {
        if plan.steps.iter().all(|step| step.undo.is_none()) {
            return Ok(Self::nowhere());
        }
        // What a target made of a request may be a credential that nobody has called a secret: others need not read it.
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        // Where a file system has no locks, nobody is kept away, and nothing is lost.
        let _ = file.try_lock();
        let seal = Seal::of(&plan.secrets);
        let text = beginning(plan, database, &seal);
        (&file).write_all(&text)?;
        // Once, so that the file itself is there even after a loss of power.
        file.sync_all()?;
        Ok(Self(Some(Arc::new(Shared {
            path: path.to_owned(),
            file,
            seal,
            beginning: text.len() as u64,
            numbers: AtomicU64::new(1),
            unanswered: AtomicI64::new(0),
            left: AtomicI64::new(0),
            is_torn: AtomicBool::new(false),
            trouble: OnceLock::new(),
        }))))
    }

    /// A hand in the journal.
    pub fn pen(&self) -> Pen {
        Pen { shared: self.0.clone(), waiting: Vec::new(), allowance: AT_ONCE }
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.0.as_ref().map(|shared| shared.path.as_path())
    }

    /// Ends the journal of a run whose pens are down: with nothing left only its first lines and its last are kept.
    /// The first thing that went wrong in all its time, if anything did.
    pub fn finish(&self) -> Result<(), &io::Error> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let count = |count: &AtomicI64| u64::try_from(count.load(Relaxed)).unwrap_or(0);
        let (left, unanswered) = (count(&shared.left), count(&shared.unanswered));
        // Also of a journal that could not be written: what is left is counted apart from it, and on a disk that it has
        // filled the reports need its room.
        if left == 0 && unanswered == 0 {
            match shared.file.set_len(shared.beginning) {
                Ok(()) => shared.is_torn.store(false, Relaxed),
                Err(error) => drop(shared.trouble.set(error)),
            }
        }
        let mut text = Vec::new();
        put_end(&mut text, "done", left, unanswered);
        shared.append(&mut text);
        shared.trouble.get().map_or(Ok(()), Err)
    }
}

impl Shared {
    /// Appends whole lines. What could not be written is lost, and the run goes on; its end tells.
    fn append(&self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        if self.is_torn.load(Relaxed) {
            lines.insert(0, b'\n');
        }
        let result = (&self.file).write(lines).and_then(|written| {
            let is_whole = written == lines.len();
            self.is_torn.store(!is_whole, Relaxed);
            if is_whole {
                Ok(())
            } else {
                Err(io::Error::new(io::ErrorKind::StorageFull, "there is room for a part of a line only"))
            }
        });
        if let Err(error) = result {
            // Only the first is kept.
            let _ = self.trouble.set(error);
        }
        lines.clear();
    }
}

impl Pen {
    /// Notes a request that may create something, before it is sent; the number of what it may create. 0 of a
    /// journal that leads nowhere.
    pub fn sent(&mut self, step: StepId, uri: &Uri, body: &[u8]) -> u64 {
        let Some(shared) = &self.shared else { return 0 };
        let number = shared.numbers.fetch_add(1, Relaxed);
        shared.unanswered.fetch_add(1, Relaxed);
        put_sent(&mut self.waiting, number, step, uri, body, &shared.seal);
        self.write_in_time();
        number
    }

    /// Notes that it was created, and the request that undoes it; without one it cannot be.
    pub fn made(&mut self, number: u64, step: StepId, undo: Option<Undo<'_>>) {
        let Some(shared) = &self.shared else { return };
        shared.unanswered.fetch_sub(1, Relaxed);
        shared.left.fetch_add(1, Relaxed);
        put_made(&mut self.waiting, number, step, undo, &shared.seal);
        self.write_in_time();
    }

    /// Notes that it is no more. Written with the next lines: to undo a thing twice is no error.
    pub fn undone(&mut self, number: u64) {
        let Some(shared) = &self.shared else { return };
        shared.left.fetch_sub(1, Relaxed);
        put_undone(&mut self.waiting, number);
        self.write_if_long();
    }

    /// Notes that a request was never sent, or was answered and created nothing. Written with the next lines.
    pub fn refused(&mut self, number: u64) {
        let Some(shared) = &self.shared else { return };
        shared.unanswered.fetch_sub(1, Relaxed);
        put_refused(&mut self.waiting, number);
        self.write_if_long();
    }

    /// Writes the line that was made just now, at once or within the period.
    fn write_in_time(&mut self) {
        if self.allowance > 0 {
            self.allowance -= 1;
            self.flush();
        } else {
            self.write_if_long();
        }
    }

    fn write_if_long(&mut self) {
        if self.waiting.len() > MOST_WAITING {
            self.flush();
        }
    }

    /// Another [`PERIOD`] is over: writes what waits. Whoever holds the pen calls this in time.
    pub fn beat(&mut self) {
        self.allowance = AT_ONCE;
        self.flush();
    }

    /// Writes what waits.
    pub fn flush(&mut self) {
        if let Some(shared) = &self.shared {
            shared.append(&mut self.waiting);
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Opens a journal again, to sweep what it holds: reads it, and takes off the half line that a killed process may
/// have left. `None` if a run still writes it.
pub fn reopen(path: &Path) -> Result<Option<(Journal, Sweeping)>, ReadError> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
        return Ok(None);
    }
    let journal = read(BufReader::new(&file))?;
    file.set_len(journal.whole)?;
    file.seek(io::SeekFrom::End(0))?;
    let beginning = journal.corrupt.is_empty().then_some(journal.beginning);
    Ok(Some((journal, Sweeping { file, beginning })))
}

/// A journal whose things are being undone.
pub struct Sweeping {
    file: File,
    /// How much of it is kept once nothing is left; all of one with lines that cannot be read.
    beginning: Option<u64>,
}

impl Sweeping {
    /// Notes that a thing is no more.
    pub fn undone(&mut self, number: u64) -> io::Result<()> {
        let mut line = Vec::new();
        put_undone(&mut line, number);
        self.file.write_all(&line)
    }

    /// Ends the journal: its reader was told what is left. With nothing left only its first lines and its last are
    /// kept.
    pub fn finish(mut self, left: u64, unanswered: u64) -> io::Result<()> {
        if let (0, 0, Some(beginning)) = (left, unanswered, self.beginning) {
            self.file.set_len(beginning)?;
        }
        let mut line = Vec::new();
        put_end(&mut line, "swept", left, unanswered);
        self.file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{plan, profile};

    fn quick() -> Plan {
        let variables = BTreeMap::new();
        let request =
            profile::Request { name: "quick", folder: Path::new(""), overrides: &[], variables: &variables };
        let profile = profile::load(&request, &profile::Disk).unwrap();
        let settings =
            plan::Settings { run: "r".into(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
        plan::build(&profile, &settings).unwrap()
    }

    #[test]
    fn a_few_lines_are_written_at_once_and_the_others_with_the_next_beat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let writer = Writer::create(&path, &quick(), None).unwrap();
        let mut pen = writer.pen();
        let written = || read(BufReader::new(File::open(&path).unwrap())).unwrap().things.len();
        let uri = Uri::from_static("/employees");
        for number in 1..=20_u32 {
            pen.sent(StepId(0), &uri, b"{}");
            assert_eq!(written(), number.min(AT_ONCE) as usize);
        }
        pen.beat();
        assert_eq!(written(), 20, "nothing waits longer");
        pen.sent(StepId(0), &uri, b"{}");
        assert_eq!(written(), 21, "in the next period some are written at once again");
    }

    #[test]
    fn a_pen_that_falls_has_written_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let writer = Writer::create(&path, &quick(), None).unwrap();
        let mut pen = writer.pen();
        for _ in 0..100 {
            let number = pen.sent(StepId(0), &Uri::from_static("/employees"), b"");
            pen.made(number, StepId(0), None);
        }
        drop(pen);
        let journal = read(BufReader::new(File::open(&path).unwrap())).unwrap();
        assert_eq!((journal.left().count(), journal.unanswered().count()), (100, 0));
    }
}
