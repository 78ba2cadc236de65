//! Standard error, with a thread of its own: a terminal that is stopped, or a pipe that nobody reads, holds up nobody
//! but that thread.
//!
//! What is drawn is a block of lines below all that was said. The cursor rests at the beginning of its first line.
//! From there everything to the end of the screen is the block's, so it can be drawn anew or wiped whatever became of
//! its lines: a terminal that was made narrower has wrapped them, or cut them off, or pushed some of them out.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use super::live::Frame;
use super::terminal::Size;

/// How often the size of the terminal is looked at while something is drawn on it.
const LOOK: Duration = Duration::from_millis(100);

/// How long a terminal may take for all that was said so far. One that is stopped takes for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to a terminal, or to whatever standard error is.
pub(super) struct Screen {
    messages: Sender<Message>,
    /// Whether a picture of the load waits to be drawn. One each second would else pile up while a terminal is stopped.
    is_behind: Arc<AtomicBool>,
}

enum Message {
    /// Is written in the place of what is drawn, and stays.
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
        let is_behind = Arc::new(AtomicBool::new(false));
        let painter = Painter { out, size, is_behind: Arc::clone(&is_behind), frame: None, drawn: None };
        // Without a thread nothing is shown, which is no reason not to run. Nobody waits for its end: a terminal that is
        // stopped would hold it up.
        let _ = std::thread::Builder::new().name("screen".to_owned()).spawn(move || painter.work(&inbox));
        Self { messages, is_behind }
    }

    /// Writes whole lines in the place of what is drawn.
    pub(super) fn say(&self, text: String) {
        self.send(Message::Say(text));
    }

    /// Draws in the place of what is drawn. A picture of the load is left out while one waits: the next is a second away.
    pub(super) fn draw(&self, frame: Frame) {
        if matches!(frame, Frame::Load(_)) && self.is_behind.swap(true, Ordering::Relaxed) {
            return;
        }
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
        // Without its thread there is nobody to take it.
        let _ = self.messages.send(message);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.wipe();
        self.flush();
    }
}

struct Painter<W> {
    out: W,
    size: fn() -> Size,
    is_behind: Arc<AtomicBool>,
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
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {
                    if self.drawn != Some((self.size)()) {
                        self.draw();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Say(text) => {
                self.wipe();
                self.write(&text);
            }
            Message::Draw(frame) => {
                if matches!(*frame, Frame::Load(_)) {
                    self.is_behind.store(false, Ordering::Relaxed);
                }
                self.frame = Some(frame);
                self.draw();
            }
            Message::Wipe => self.wipe(),
            Message::Done(done) => {
                let _ = done.send(());
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
        self.frame = None;
        if self.drawn.take().is_some() {
            self.write("\r\x1b[J");
        }
    }

    /// Nobody may be listening, which is no reason to stop.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::Picture;
    use super::*;

    #[test]
    fn a_terminal_that_is_stopped_keeps_one_picture_and_all_that_was_said() {
        let (messages, inbox) = channel();
        let screen = Screen { messages, is_behind: Arc::default() };
        let size = || Size { columns: 80, rows: 24 };
        let is_behind = Arc::clone(&screen.is_behind);
        let mut painter = Painter { out: Vec::new(), size, is_behind, frame: None, drawn: None };
        for n in 1..1_000 {
            screen.draw(Frame::Load(Box::new(Picture { errors: n, ..Picture::default() })));
        }
        screen.say("said\n".to_owned());
        screen.draw(Frame::Waiting("waiting".to_owned()));
        let waiting: Vec<Message> = inbox.try_iter().collect();
        assert_eq!(waiting.len(), 3);
        for message in waiting {
            painter.take(message);
        }
        screen.draw(Frame::Load(Box::new(Picture { errors: 1_000, ..Picture::default() })));
        for message in inbox.try_iter() {
            painter.take(message);
        }
        let text = String::from_utf8(painter.out).expect("text");
        let [first, said, waiting, last] =
            [", 1 so far", "said\n", "waiting", "1000 so far"].map(|it| text.find(it).unwrap_or(usize::MAX));
        assert!(first < said && said < waiting && waiting < last && last < usize::MAX, "{text:?}");
        assert!(!text.contains("999"), "{text:?}");
    }
}
