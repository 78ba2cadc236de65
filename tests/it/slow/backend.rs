//! Flask and MariaDB, as `tests/backend/` starts them.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A running backend; dropping it stops it.
pub(crate) struct Backend {
    folder: TempDir,
    pub(crate) url: String,
}

impl Backend {
    /// Starts one; `None`, and a loud word, where what it needs is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one with these variables in its environment.
    pub(crate) fn start_with(env: &[(&str, &str)]) -> Option<Self> {
        let check = Command::new(script("install")).arg("--check").output().expect("a script of ours");
        if !check.status.success() {
            super::consumers::missing(&format!("the backend: {}", text(&check)));
            return None;
        }
        // Short, because the path of a socket in it may have 107 bytes only.
        let folder = tempfile::Builder::new().prefix("palier-be-").tempdir().expect("a folder");
        let mut up = Command::new(script("backend"));
        let up = up.arg("up").arg(folder.path()).envs(env.iter().copied());
        let up = up.output().expect("a script of ours");
        assert!(up.status.success(), "{}", text(&up));
        let lines = String::from_utf8(up.stdout).expect("text");
        let url = lines.lines().find_map(|line| line.strip_prefix("BACKEND_URL=")).expect("an address");
        Some(Self { url: url.trim_matches('\'').to_owned(), folder })
    }

    /// How many employees there are.
    pub(crate) fn rows(&self) -> u64 {
        self.sql("SELECT COUNT(*) FROM employees").trim().parse().expect("a number")
    }

    /// The result of a statement, a line each.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.call("sql", &[statement])
    }

    /// Kills it, as a crash would.
    pub(crate) fn crash(&self) {
        self.call("crash", &[]);
    }

    /// Starts it again after that, at the same address.
    pub(crate) fn revive(&self) {
        self.call("revive", &[]);
    }

    fn call(&self, command: &str, more: &[&str]) -> String {
        let mut script = Command::new(script("backend"));
        let output = script.arg(command).arg(self.folder.path()).args(more).output();
        let output = output.expect("a script of ours");
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let down = Command::new(script("backend")).arg("down").arg(self.folder.path()).output();
        let down = down.expect("a script of ours");
        if !std::thread::panicking() {
            assert!(down.status.success(), "{}", text(&down));
        }
    }
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/backend").join(name)
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
