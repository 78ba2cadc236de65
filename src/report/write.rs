//! Reports on disk: each file complete or not there at all, and the folder tried before any load is made.
//!
//! A file is written under another name in the same folder and then renamed, so whoever watches the folder, or
//! uploads it when a job is killed, never finds half of one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::summary::Summary;
use super::{Format, markdown};

/// A folder that reports can be written to, as far as that can be known beforehand.
#[derive(Clone, Debug)]
pub struct Outputs {
    folder: PathBuf,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder does not exist and could not be made.
    #[error("cannot create the folder `{}` for reports; choose another with `--out`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No file can be created in the folder.
    #[error("cannot create files in `{}`; make it writable, or choose another folder with `--out`", folder.display())]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Where a report belongs, there is something that is no file.
    #[error("`{}` is in the way of a report, because it is a folder; remove it, or choose another with `--out`", path.display())]
    InTheWay {
        /// The path of the report.
        path: PathBuf,
    },
    /// A report could not be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The path of the report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Outputs {
    /// Makes the folder where there is none, and tries whether files can be created in it.
    pub fn open(folder: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(folder)
            .map_err(|source| WriteError::Folder { folder: folder.to_owned(), source })?;
        let not_writable = |source| WriteError::NotWritable { folder: folder.to_owned(), source };
        // Not only created: a full disk lets a file be created, but takes no byte of it.
        let mut probe = temporary(folder).map_err(not_writable)?;
        probe.write_all(&[b'\n'; 4096]).and_then(|()| probe.as_file().sync_all()).map_err(not_writable)?;
        let outputs = Self { folder: folder.to_owned() };
        match Format::ALL.map(|format| outputs.path(format)).into_iter().find(|it| it.is_dir()) {
            Some(path) => Err(WriteError::InTheWay { path }),
            None => Ok(outputs),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a report is, once it is written.
    pub fn path(&self, format: Format) -> PathBuf {
        self.folder.join(format.file_name())
    }

    /// Removes the reports of an earlier run. To be called when the load starts: should this run be killed, its
    /// pipeline must not find, and believe, the verdict of another.
    pub fn clear(&self) -> Result<(), WriteError> {
        for path in Format::ALL.map(|format| self.path(format)) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(WriteError::File { path, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Writes one report and says where.
    pub fn write(&self, format: Format, summary: &Summary) -> Result<PathBuf, WriteError> {
        let path = self.path(format);
        write_whole(&path, format.render(summary).as_bytes())?;
        Ok(path)
    }

    /// Writes every report. One that fails does not keep the others from being written; the first error is
    /// returned.
    pub fn write_all(&self, summary: &Summary) -> Result<(), WriteError> {
        let results = Format::ALL.map(|format| self.write(format, summary));
        results.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}

/// Writes a file so that it is there either as it was before or complete.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let error = |source| WriteError::File { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut file = temporary(folder).map_err(error)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(error)?;
    file.persist(path).map(drop).map_err(|failed| error(failed.error))
}

/// Appends a page to the file that `$GITHUB_STEP_SUMMARY` names. Above a limit GitHub drops all of it, so the
/// page is shortened to what is left.
pub fn append_step_summary(path: &Path, page: &str) -> Result<(), WriteError> {
    let error = |source| WriteError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(error)?;
    let taken = usize::try_from(file.metadata().map_err(error)?.len()).unwrap_or(usize::MAX);
    let room = markdown::MAX_BYTES.saturating_sub(taken.saturating_add(1));
    let mut page = markdown::shorten(page, room);
    if taken > 0 && !page.is_empty() {
        // Whatever stands there may not end its last line.
        page.insert(0, '\n');
    }
    file.write_all(page.as_bytes()).map_err(error)
}

/// Appends lines to the file that `GITHUB_OUTPUT` names.
pub fn append_step_outputs(path: &Path, lines: &str) -> Result<(), WriteError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(lines.as_bytes()));
    written.map_err(|source| WriteError::File { path: path.to_owned(), source })
}

/// A file that removes itself unless it is kept. Readable as any other: who uploads it may be another user.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".palier-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn all_names() -> Vec<String> {
        let mut names = Format::ALL.map(|it| it.file_name().to_owned()).to_vec();
        names.sort();
        names
    }

    #[test]
    fn every_report_is_written_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::open(&folder.path().join("a/b")).expect("made");
        assert_eq!(names(outputs.folder()), Vec::<String>::new(), "the probe is gone");
        outputs.write_all(&sample::fail()).expect("written");
        outputs.write_all(&sample::pass()).expect("written again");
        assert_eq!(names(outputs.folder()), all_names());
        let json = fs::read_to_string(outputs.path(Format::Summary)).expect("summary.json");
        assert!(super::super::json::parse(&json).expect("a summary") == sample::pass());
        outputs.clear().expect("cleared");
        assert_eq!(names(outputs.folder()), Vec::<String>::new());
        outputs.clear().expect("nothing to clear");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_reports() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let ordinary = folder.path().join("ordinary");
        fs::File::create(&ordinary).expect("a file");
        write_whole(&folder.path().join("ours"), b"x").expect("written");
        let mode = |name: &str| fs::metadata(folder.path().join(name)).expect("there").permissions().mode();
        assert_eq!(mode("ours"), mode("ordinary"));
    }

    #[test]
    fn what_is_in_the_way_is_found_before_the_load() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        write_whole(&file, b"x").expect("written");
        let error = Outputs::open(&file.join("below")).expect_err("a file is no folder");
        assert!(matches!(error, WriteError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("--out") && error.to_string().contains("below"), "{error}");

        fs::create_dir(folder.path().join("junit.xml")).expect("a folder");
        let error = Outputs::open(folder.path()).expect_err("in the way");
        assert!(matches!(error, WriteError::InTheWay { .. }), "{error}");
    }

    #[test]
    fn one_report_that_fails_does_not_keep_the_others_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::open(folder.path()).expect("open");
        fs::create_dir(outputs.path(Format::Junit)).expect("a folder");
        let error = outputs.write_all(&sample::pass()).expect_err("junit.xml is a folder");
        assert!(error.to_string().contains("junit.xml"), "{error}");
        assert_eq!(names(folder.path()), all_names());
    }

    #[test]
    fn a_step_summary_is_appended_and_never_too_large() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("step");
        append_step_summary(&path, "first\n").expect("created");
        append_step_summary(&path, "second\n").expect("appended");
        assert_eq!(fs::read_to_string(&path).expect("text"), "first\n\nsecond\n");
        for _ in 0..30 {
            append_step_summary(&path, &"a line\n".repeat(10_000)).expect("appended");
        }
        let size = fs::metadata(&path).expect("there").len();
        assert!(size <= 1 << 20, "{size} bytes");
    }
}
