//! Standard error, with a thread of its own: a terminal that is stopped, or a pipe that nobody reads, holds up nobody
//! but that thread.
//!
//! What is drawn is a block of lines below all that was said. The cursor rests at the beginning of its first line.
//! From there everything to the end of the screen is the block's, so it can be drawn anew or wiped whatever became of
//! its lines: a terminal that was made narrower has wrapped them, or cut them off, or pushed some of them out.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::live::Frame;
use super::terminal::Size;

/// How often the size of the terminal is looked at while something is drawn on it.
const LOOK: Duration = Duration::from_millis(100);

/// How long a terminal may take for all that was said so far. One that is stopped takes for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to a terminal, or to whatever standard error is.
pub(super) struct Screen {
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    /// Is written, and stays.
    Say(String),
    /// Is drawn in the place of what is drawn.
    Draw(Box<Frame>),
    /// Nothing is drawn any more.
    Wipe,
    /// Is answered when all before it is done.
    Done(SyncSender<()>),
}

impl Screen {
    /// A screen that is written to like that, and is as large as that.
    pub(super) fn new(out: impl Write + Send + 'static, size: fn() -> Size) -> Self {
        let (messages, inbox) = channel();
        let painter = Painter { out, size, frame: None, drawn: None };
        let thread = std::thread::Builder::new().name("screen".to_owned());
        // Without a thread nothing is shown, which is no reason not to run.
        let thread = thread.spawn(move || painter.work(&inbox)).ok();
        Self { messages: Some(messages), thread }
    }

    /// Writes whole lines.
    pub(super) fn say(&self, text: String) {
        self.send(Message::Say(text));
    }

    /// Draws in the place of what is drawn.
    pub(super) fn draw(&self, frame: Frame) {
        self.send(Message::Draw(Box::new(frame)));
    }

    /// Leaves the terminal as if nothing had been drawn on it.
    pub(super) fn wipe(&self) {
        self.send(Message::Wipe);
    }

    /// Returns when all of that is on the terminal, or when it has taken too long.
    pub(super) fn flush(&self) {
        let (done, answer) = sync_channel(1);
        self.send(Message::Done(done));
        let _ = answer.recv_timeout(PATIENCE);
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // The thread has ended if there was nothing to write to any more.
            let _ = messages.send(message);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.wipe();
        self.flush();
        self.messages = None;
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

struct Painter<W> {
    out: W,
    size: fn() -> Size,
    /// What is to be seen.
    frame: Option<Box<Frame>>,
    /// The size of the terminal that it was drawn for; `None` where it is not drawn.
    drawn: Option<Size>,
}

impl<W: Write> Painter<W> {
    fn work(mut self, inbox: &Receiver<Message>) {
        loop {
            let message = if self.drawn.is_some() {
                inbox.recv_timeout(LOOK)
            } else {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match message {
                Ok(message) => self.take(message, inbox),
                Err(RecvTimeoutError::Timeout) => {
                    if self.drawn != Some((self.size)()) {
                        self.draw();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, message: Message, inbox: &Receiver<Message>) {
        let mut messages = vec![message];
        messages.extend(inbox.try_iter());
        let mut messages = messages.into_iter().peekable();
        while let Some(message) = messages.next() {
            match message {
                Message::Say(text) => {
                    self.wipe();
                    self.write(&text);
                    self.draw();
                }
                Message::Draw(frame) => {
                    self.frame = Some(frame);
                    // After a stop of the terminal there may be many.
                    if !matches!(messages.peek(), Some(Message::Draw(_))) {
                        self.draw();
                    }
                }
                Message::Wipe => {
                    self.frame = None;
                    self.wipe();
                }
                Message::Done(done) => {
                    let _ = done.send(());
                }
            }
        }
    }

    fn draw(&mut self) {
        let Some(frame) = &self.frame else { return };
        let size = (self.size)();
        let lines = frame.lines(size);
        // Each line is cleared behind its end only, so that what stays the same does not flicker.
        let mut text = format!("\r{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"));
        if lines.len() > 1 {
            let _ = write!(text, "\x1b[{}A", lines.len() - 1);
        }
        text.push('\r');
        self.write(&text);
        self.drawn = Some(size);
    }

    fn wipe(&mut self) {
        if self.drawn.take().is_some() {
            self.write("\r\x1b[J");
        }
    }

    /// Nobody may be listening, which is no reason to stop.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}
