//! Finding a profile, and reading the files it is made of.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The profiles and scenarios that are built into palier, by their paths in the repository.
const BUILT_IN: [(&str, &str); 4] = [
    ("profiles/quick.toml", include_str!("../../profiles/quick.toml")),
    ("profiles/standard.toml", include_str!("../../profiles/standard.toml")),
    ("profiles/intensive.toml", include_str!("../../profiles/intensive.toml")),
    ("profiles/scenarios/employees.toml", include_str!("../../profiles/scenarios/employees.toml")),
];

/// The names of the built-in profiles.
pub const BUILT_IN_PROFILES: [&str; 3] = ["quick", "standard", "intensive"];

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

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) | Self::Folder(path) => write!(f, "{}", path.display()),
            Self::BuiltIn(path) => write!(f, "built-in {path}"),
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(std::fs::read(path)?).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|byte| *byte == b'\n').count();
            let what = format!("line {line} is not UTF-8: save the file in that encoding");
            io::Error::new(io::ErrorKind::InvalidData, what)
        })
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// Where a text comes from, and so what the paths in it are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file: where it is read, and what it is called in messages.
    File { path: PathBuf, shown: PathBuf },
    /// A file that is built in.
    BuiltIn(PathBuf),
    /// The command line.
    CommandLine,
}

impl Origin {
    /// What it is called in messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File { shown, .. } => shown.display().to_string(),
            Self::BuiltIn(path) => format!("built-in {}", path.display()),
            Self::CommandLine => "the command line".into(),
        }
    }

    /// The file that a path in this text leads to.
    pub(super) fn resolve(&self, relative: &str, folder: &Path) -> Self {
        let beside = |path: &Path| normal(&path.parent().unwrap_or(Path::new("")).join(relative));
        match self {
            Self::File { path, shown } => Self::File { path: beside(path), shown: beside(shown) },
            Self::BuiltIn(path) => Self::BuiltIn(beside(path)),
            Self::CommandLine => {
                Self::File { path: normal(&folder.join(relative)), shown: normal(Path::new(relative)) }
            }
        }
    }

    /// Its text.
    pub(super) fn read(&self, files: &dyn Files) -> io::Result<String> {
        match self {
            Self::File { path, .. } => files.read(path),
            Self::BuiltIn(path) => BUILT_IN
                .iter()
                .find(|(known, _)| Path::new(known) == path)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such built-in file")),
            Self::CommandLine => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Finds the profile of a name: a path; else `profiles/NAME.toml` here or in a parent folder up to the root of
/// the repository; else the built-in one. Where there is none, the places that were looked at.
pub(super) fn find(name: &str, folder: &Path, files: &dyn Files) -> Result<(Found, Origin), Vec<String>> {
    if is_path(name) {
        let shown = PathBuf::from(name);
        return Ok((Found::Path(shown.clone()), Origin::File { path: folder.join(name), shown }));
    }
    let inside = Path::new("profiles").join(format!("{name}.toml"));
    let mut looked = Vec::new();
    let mut up = PathBuf::new();
    let in_repository = folder.ancestors().any(|parent| files.exists(&parent.join(".git")));
    for parent in folder.ancestors() {
        let (path, shown) = (parent.join(&inside), up.join(&inside));
        if files.exists(&path) {
            return Ok((Found::Folder(shown.clone()), Origin::File { path, shown }));
        }
        looked.push(shown.display().to_string());
        if !in_repository || files.exists(&parent.join(".git")) {
            break;
        }
        up.push("..");
    }
    for (built_in, _) in BUILT_IN {
        if Path::new(built_in) == inside {
            return Ok((Found::BuiltIn(built_in), Origin::BuiltIn(inside)));
        }
    }
    looked.push(format!("built-in: {}", BUILT_IN_PROFILES.join(", ")));
    Err(looked)
}

/// Whether a name is a path: it holds a slash or ends in `.toml`.
pub(super) fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// The path without `.` and without `folder/..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                normal.push(component);
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Paths(&'static [&'static str]);

    impl Files for Paths {
        fn read(&self, _: &Path) -> io::Result<String> {
            Ok(String::new())
        }

        fn exists(&self, path: &Path) -> bool {
            self.0.iter().any(|known| Path::new(known) == path)
        }
    }

    #[track_caller]
    fn check(paths: &'static [&'static str], name: &str, expected: &str) {
        let found = match find(name, Path::new("/repo/a/b"), &Paths(paths)) {
            Ok((found, origin)) => format!("{found} = {origin:?}"),
            Err(looked) => looked.join("; "),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn a_name_is_looked_up_from_here_to_the_root_of_the_repository() {
        check(&["/repo/a/b/profiles/quick.toml"], "quick", "profiles/quick.toml = File");
        check(
            &["/repo/.git", "/repo/profiles/quick.toml"],
            "quick",
            "../../profiles/quick.toml = File { path: \"/repo/profiles/quick.toml\"",
        );
        check(&["/repo/.git", "/profiles/quick.toml"], "quick", "built-in profiles/quick.toml = BuiltIn");
        check(&["/repo/profiles/quick.toml"], "quick", "built-in profiles/quick.toml");
        check(&[], "./quick", "./quick = File");
        check(&[], "quick.toml", "quick.toml = File");
        check(
            &["/repo/a/.git"],
            "ours",
            "profiles/ours.toml; ../profiles/ours.toml; built-in: quick, standard, intensive",
        );
    }

    #[test]
    fn paths_in_a_file_start_beside_it() {
        let origin =
            Origin::File { path: "/repo/profiles/a.toml".into(), shown: "../profiles/a.toml".into() };
        let folder = Path::new("/repo/sub");
        let resolved = origin.resolve("../shared/b.toml", folder);
        assert_eq!(
            resolved,
            Origin::File { path: "/repo/shared/b.toml".into(), shown: "../shared/b.toml".into() }
        );
        assert_eq!(
            Origin::CommandLine.resolve("x/../c.toml", folder),
            Origin::File { path: "/repo/sub/c.toml".into(), shown: "c.toml".into() }
        );
        let built_in = Origin::BuiltIn("profiles/quick.toml".into()).resolve("standard.toml", folder);
        assert_eq!(built_in.shown(), "built-in profiles/standard.toml");
        assert!(built_in.read(&Paths(&[])).is_ok());
    }

    #[test]
    fn every_built_in_profile_is_there() {
        let known: BTreeMap<_, _> = BUILT_IN.into_iter().collect();
        for name in BUILT_IN_PROFILES {
            assert!(known.contains_key(format!("profiles/{name}.toml").as_str()));
        }
    }
}
