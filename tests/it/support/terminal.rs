//! A terminal with palier in it: the kernel's pseudo-terminal, and a screen as a user sees it.

use std::io::{Read, Write as _};
use std::num::NonZero;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pty_process::blocking::{Command, Pty, open};
use tempfile::TempDir;

use super::origin::Origin;
use super::palier::{binary, write};

/// Longer than any of these runs takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run in a terminal.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    output: Receiver<Vec<u8>>,
    /// All that was written, with every escape.
    pub(crate) written: Vec<u8>,
    screen: vt100::Parser,
    started: Instant,
    _folder: TempDir,
}

impl Terminal {
    /// `palier run load.toml` in a terminal that is so wide, and high enough for all that is ever said.
    pub(crate) fn run(profile: &str, target: &Origin, columns: u16, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("palier-it-").tempdir().expect("a folder");
        write(&folder.path().join("load.toml"), profile);
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(pty_process::Size::new(ROWS, columns)).expect("a size");
        let child = Command::new(binary())
            .args(["run", "load.toml", "--target", &target.url()])
            .current_dir(folder.path())
            .env_clear()
            .env("TERM", "xterm-256color")
            .env("HOME", folder.path())
            .envs(env.iter().copied())
            .spawn(pts)
            .expect("the binary was built");
        let pty = Arc::new(pty);
        let (sender, output) = channel();
        let reader = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when nobody holds the other end any more.
            while let Ok(length @ 1..) = (&*reader).read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = vt100::Parser::new(some(ROWS), some(columns), 0);
        Self { pty, child, output, written: Vec::new(), screen, started: Instant::now(), _folder: folder }
    }

    /// The terminal is made so wide. As on many, what does not fit any more is cut off.
    pub(crate) fn resize(&mut self, columns: u16) {
        self.screen.set_size(some(ROWS), some(columns));
        self.pty.resize(pty_process::Size::new(ROWS, columns)).expect("a size");
    }

    /// A key is pressed.
    pub(crate) fn press(&self, key: char) {
        (&*self.pty).write_all(key.to_string().as_bytes()).expect("a terminal");
    }

    /// What is on the screen, line by line, however often each is wrapped.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.screen.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The row of the cursor, counted from the first that is empty to the end, and its column.
    pub(crate) fn cursor(&self) -> (i32, u16) {
        let screen = self.screen.screen();
        let (row, column) = screen.cursor_position();
        let rows: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
        let used = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
        (i32::from(row) - i32::try_from(used).expect("few"), column)
    }

    /// Waits until the screen looks like that.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: impl Fn(&[String]) -> bool) {
        while !what(&self.lines()) {
            let left = PATIENCE.saturating_sub(self.started.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.show(&bytes),
                Err(error) => panic!("{error}; the screen shows\n{}", self.lines().join("\n")),
            }
        }
    }

    /// Waits for the end of the run; its exit code.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> Option<i32> {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE.saturating_sub(self.started.elapsed())) {
            self.show(&bytes);
        }
        let status = self.child.try_wait().expect("a child of ours");
        assert!(status.is_some() || self.child.wait().is_ok());
        self.child.wait().expect("a child of ours").code()
    }

    fn show(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        self.screen.process(bytes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ROWS: u16 = 400;

fn some(size: u16) -> NonZero<u16> {
    NonZero::new(size).expect("above zero")
}
