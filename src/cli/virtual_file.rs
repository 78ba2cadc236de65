//! A profile that is no file: written by palier itself, from its command line.

use std::io;
use std::path::{Path, PathBuf};

use crate::profile::{Disk, Files};

/// One file that is only in memory, before those of the disk.
#[derive(Clone, Debug)]
pub(super) struct VirtualFile {
    name: PathBuf,
    text: String,
}

impl VirtualFile {
    /// A file of that name, in whichever folder it is looked for.
    pub(super) fn new(name: &str, text: String) -> Self {
        Self { name: PathBuf::from(name), text }
    }

    fn is(&self, path: &Path) -> bool {
        path.file_name() == Some(self.name.as_os_str())
    }
}

impl Files for VirtualFile {
    fn read(&self, path: &Path) -> io::Result<String> {
        if self.is(path) { Ok(self.text.clone()) } else { Disk.read(path) }
    }

    fn exists(&self, path: &Path) -> bool {
        self.is(path) || Disk.exists(path)
    }
}
