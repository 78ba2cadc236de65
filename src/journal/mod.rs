//! What a run created, written down before it can be forgotten: `journal.jsonl` in `--out`.
//!
//! A line of JSON each, only ever appended:
//!
//! ```text
//! {"format":"palier.journal/1","run":"20261123-120000-abcd","profile":"quick","target":"http://localhost:5000"}
//! {"step":3,"name":"create employee","method":"POST","undo":{"step":"delete employee","method":"DELETE",…}}
//! {"sent":17,"step":3,"path":"/employees","body":"{\"name\":…}"}     before the request goes out
//! {"made":17,"step":3,"path":"/employees/4711"}                       its answer came: how to undo it
//! {"undone":17}                                                       it is no more
//! {"refused":17}                                                      it was never made
//! {"end":"done","left":0,"unanswered":0}                              the run has told what is left
//! ```
//!
//! `sent` and `made` are with the kernel before the run goes on, so that a SIGKILL loses neither: what was created
//! can be undone, and what was asked for and not answered can at least be named. A worker that writes more than
//! [`AT_ONCE`] of them in [`PERIOD`] writes the others at its end, so that this is what can be lost: what one was
//! doing in the last 5 ms. `undone` and `refused` wait for the next of these lines: to undo a thing twice is no error.
//!
//! No secret is in it: a [`seal`] puts the name of its variable there, and headers that carry
//! credentials of another origin are left out. A journal says nothing of the load; it is no report.
//!
//! - `line`: the lines, written and read
//! - `read`: what a journal says is left
//! - `write`: the run's own journal, and a pen for each worker
//! - `folder`: the journals of a folder, and room for a new one

mod folder;
mod line;
mod read;
pub mod seal;
mod write;

pub use folder::{FILE_NAME, FolderError, Found, find, make_room};
pub use line::{DatabaseCleanup, Undo, Undoing};
pub use read::{Journal, Made, ReadError, Thing, read};
pub use write::{AT_ONCE, PERIOD, Pen, Sweeping, Writer, reopen};
