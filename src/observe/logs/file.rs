//! New lines of a file, whatever becomes of the file: it may be rotated, truncated, or not be there yet.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A line longer than this is taken in pieces, so that a file without line ends does not fill the memory.
const LONGEST_LINE: usize = 64 * 1024;

/// At most so much is read in one look: a log that grows faster is caught up with later, and sampling goes on.
const MOST_AT_ONCE: usize = 8 * 1024 * 1024;

/// So many bytes before the place that was read up to are remembered, to tell a file that was written anew.
const MEMORY: usize = 64;

/// Reads what is written to a file from now on.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    open: Option<Opened>,
    /// The beginning of a line whose end was not written yet.
    partial: Vec<u8>,
    /// What happened to the file, as the end of a sentence that begins with its name.
    pub notes: Vec<&'static str>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// Device and inode.
    identity: (u64, u64),
    /// Read up to here.
    position: u64,
    /// What stands right before that.
    memory: Vec<u8>,
}

impl Follower {
    /// Follows the file from its present end on; one that is not there yet from its beginning.
    pub fn at_end_of(path: &Path) -> Self {
        let mut follower = Self { path: path.to_owned(), open: None, partial: Vec::new(), notes: Vec::new() };
        if let Ok(mut opened) = Opened::new(path)
            && let Ok(end) = opened.file.seek(SeekFrom::End(0))
        {
            opened.position = end;
            opened.remember();
            follower.open = Some(opened);
        }
        follower
    }

    /// Hands over every line that was written since the last look.
    pub fn read(&mut self, line: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let there = std::fs::metadata(&self.path).map(|metadata| (metadata.dev(), metadata.ino()));
        if let Some(opened) = &mut self.open {
            if opened.was_truncated()? {
                opened.position = 0;
                opened.memory.clear();
                self.partial.clear();
                self.notes.push("was truncated, and was followed from its beginning again");
            }
            let moved = there.as_ref().is_ok_and(|there| *there != opened.identity);
            opened.drain(&mut self.partial, line)?;
            if moved {
                // What was written to the old file is read; a last line without an end is a line.
                self.rest(line);
                self.open = None;
                self.notes.push("was rotated, and the new file was followed");
            }
        }
        if self.open.is_none() {
            there?;
            let mut opened = Opened::new(&self.path)?;
            opened.drain(&mut self.partial, line)?;
            self.open = Some(opened);
        }
        Ok(())
    }

    /// Hands over the last line, should its end not have been written.
    pub fn rest(&mut self, line: &mut dyn FnMut(&[u8])) {
        if !self.partial.is_empty() {
            line(&std::mem::take(&mut self.partial));
        }
    }
}

impl Opened {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self { file, identity: (metadata.dev(), metadata.ino()), position: 0, memory: Vec::new() })
    }

    /// Whether the file holds something else than what was read: it is shorter, or other bytes stand there.
    fn was_truncated(&mut self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length == self.position && self.memory.is_empty() {
            return Ok(false);
        }
        if length < self.position {
            return Ok(true);
        }
        let mut there = vec![0; self.memory.len()];
        self.file.seek(SeekFrom::Start(self.position - self.memory.len() as u64))?;
        match self.file.read_exact(&mut there) {
            Ok(()) => Ok(there != self.memory),
            // It became shorter just now.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn remember(&mut self) {
        let from = self.position.saturating_sub(MEMORY as u64);
        self.memory.resize(usize::try_from(self.position - from).unwrap_or(0), 0);
        let read = self.file.seek(SeekFrom::Start(from)).and_then(|_| self.file.read_exact(&mut self.memory));
        if read.is_err() {
            self.memory.clear();
        }
    }

    /// Hands over all lines up to the present end of the file.
    fn drain(&mut self, partial: &mut Vec<u8>, line: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        while total < MOST_AT_ONCE {
            let n = match self.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            total += n;
            self.position += n as u64;
            self.memory.extend_from_slice(&buffer[..n]);
            let surplus = self.memory.len().saturating_sub(MEMORY);
            self.memory.drain(..surplus);
            split(&buffer[..n], partial, line);
        }
        Ok(())
    }
}

/// Cuts bytes into lines; what has no end yet is kept.
pub(in super::super) fn split(mut bytes: &[u8], partial: &mut Vec<u8>, line: &mut dyn FnMut(&[u8])) {
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        partial.extend_from_slice(&bytes[..end]);
        line(partial.strip_suffix(b"\r").unwrap_or(partial));
        partial.clear();
        bytes = &bytes[end + 1..];
    }
    partial.extend_from_slice(bytes);
    if partial.len() > LONGEST_LINE {
        line(partial);
        partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    struct Log {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            Self { path, _folder: folder }
        }

        fn append(&self, text: &str) {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn write_anew(&self, text: &str) {
            File::create(&self.path).unwrap().write_all(text.as_bytes()).unwrap();
        }
    }

    fn lines(follower: &mut Follower) -> Vec<String> {
        let mut lines = Vec::new();
        follower.read(&mut |line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
        lines
    }

    #[test]
    fn only_what_is_written_from_now_on_is_read() {
        let log = Log::new();
        log.append("old\n");
        let mut follower = Follower::at_end_of(&log.path);
        assert!(lines(&mut follower).is_empty());
        log.append("one\r\ntw");
        assert_eq!(lines(&mut follower), ["one"]);
        log.append("o\n\nthree");
        assert_eq!(lines(&mut follower), ["two", ""]);
        let mut last = Vec::new();
        follower.rest(&mut |line| last.push(line.to_vec()));
        assert_eq!(last, [b"three"]);
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_beginning() {
        let log = Log::new();
        let mut follower = Follower::at_end_of(&log.path);
        assert!(follower.read(&mut |_| ()).is_err());
        log.append("first\n");
        assert_eq!(lines(&mut follower), ["first"]);
    }

    #[test]
    fn rotation_loses_no_line() {
        let log = Log::new();
        log.append("old\n");
        let mut follower = Follower::at_end_of(&log.path);
        log.append("last of the old\n");
        std::fs::rename(&log.path, log.path.with_extension("1")).unwrap();
        // Between renaming and making it anew, there is none.
        assert!(follower.read(&mut |line| assert_eq!(line, b"last of the old")).is_ok());
        log.append("first of the new\n");
        assert_eq!(lines(&mut follower), ["first of the new"]);
        assert_eq!(follower.notes, ["was rotated, and the new file was followed"]);
    }

    #[test]
    fn truncation_is_noticed_even_if_the_file_is_as_long_again() {
        let log = Log::new();
        log.append("aaaaaaaa\n");
        let mut follower = Follower::at_end_of(&log.path);
        log.write_anew("b\n");
        assert_eq!(lines(&mut follower), ["b"]);
        log.write_anew("c\nd\n");
        assert_eq!(lines(&mut follower), ["c", "d"]);
        log.write_anew("");
        assert!(lines(&mut follower).is_empty());
        log.append("e\n");
        assert_eq!(lines(&mut follower), ["e"]);
        assert_eq!(follower.notes.len(), 3);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Follower::at_end_of(folder.path()).read(&mut |_| ()).is_err());
    }

    proptest! {
        /// However the bytes arrive, the lines are those of the whole.
        #[test]
        fn lines_do_not_depend_on_how_they_arrive(pieces in prop::collection::vec("[ab\n]{0,8}", 0..12)) {
            let log = Log::new();
            log.append("old\n");
            let mut follower = Follower::at_end_of(&log.path);
            let mut found = Vec::new();
            for piece in &pieces {
                log.append(piece);
                found.extend(lines(&mut follower));
            }
            follower.rest(&mut |line| found.push(String::from_utf8_lossy(line).into_owned()));
            let whole = pieces.concat();
            let expected: Vec<&str> = whole.lines().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
