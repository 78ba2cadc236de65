//! The journals of a folder, and room for a new one. None that holds leftovers is ever overwritten.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::read::{Journal, ReadError, read};

/// The journal of a folder's latest run. Earlier ones with leftovers are `journal-RUN.jsonl`.
pub const FILE_NAME: &str = "journal.jsonl";

/// A journal in a folder, with leftovers.
#[derive(Debug)]
pub struct Found {
    /// Where it is now.
    pub path: PathBuf,
    /// What it says, or why it says nothing.
    pub journal: Result<Journal, ReadError>,
}

/// Why there is no room for a journal.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A run that is still going writes it.
    #[error("another run is writing its journal to `{}`; choose another folder with `--out`", path.display())]
    InUse {
        /// The path of the journal.
        path: PathBuf,
    },
    /// Something else is in the way.
    #[error("cannot make room for the journal `{}`", path.display())]
    Io {
        /// The path of the journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The journals of a folder: the latest run's first, then earlier ones by name.
pub fn find(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut earlier = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("journal-") && name.ends_with(".jsonl") {
            earlier.push(folder.join(&*name));
        }
    }
    earlier.sort();
    let latest = folder.join(FILE_NAME);
    if latest.is_file() {
        earlier.insert(0, latest);
    }
    Ok(earlier)
}

/// Makes room for a new journal: one that has leftovers is kept under another name, one that has none goes. Returns
/// where the new one belongs, and all journals of the folder that have leftovers.
pub fn make_room(folder: &Path) -> Result<(PathBuf, Vec<Found>), FolderError> {
    let path = folder.join(FILE_NAME);
    let error = |source| FolderError::Io { path: path.clone(), source };
    let mut found = Vec::new();
    for old in find(folder).map_err(error)? {
        let file = File::open(&old).map_err(error)?;
        let is_latest = old == path;
        if is_latest && matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(FolderError::InUse { path: old });
        }
        let journal = read(BufReader::new(&file));
        let has_leftovers = journal.as_ref().map_or(true, Journal::has_leftovers);
        let kept = if !is_latest {
            old
        } else if has_leftovers {
            let run =
                journal.as_ref().ok().map(|journal| journal.run.as_str()).filter(|run| is_harmless(run));
            let kept = free_name(folder, run.unwrap_or("unreadable"));
            fs::rename(&old, &kept).map_err(error)?;
            kept
        } else {
            fs::remove_file(&old).map_err(error)?;
            continue;
        };
        if has_leftovers {
            found.push(Found { path: kept, journal });
        }
    }
    Ok((path, found))
}

/// Whether an id can be part of a file's name: a journal may have been written by anybody.
fn is_harmless(run: &str) -> bool {
    !run.is_empty() && run.len() < 100 && run.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn free_name(folder: &Path, run: &str) -> PathBuf {
    let mut path = folder.join(format!("journal-{run}.jsonl"));
    for number in 2.. {
        if !path.exists() {
            break;
        }
        path = folder.join(format!("journal-{run}-{number}.jsonl"));
    }
    path
}
