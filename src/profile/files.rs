//! Finding a profile, and reading the files it is made of.

use std::io;
use std::path::{Path, PathBuf};

/// The files a profile may be made of. The command line passes [`Disk`]; tests pass a map.
pub trait Files {
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Whether there is such a file or folder.
    fn exists(&self, path: &Path) -> bool;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

/// Which profile a name led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The name was a path.
    Path(PathBuf),
    /// `profiles/NAME.toml` here or in a parent folder, as a path from here.
    Folder(PathBuf),
    /// The one that is built into palier: `profiles/quick.toml`.
    BuiltIn(&'static str),
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
