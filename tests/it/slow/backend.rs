//! Flask and a database, as `tests/backend/` starts them.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A running backend; dropping it stops it.
pub(crate) struct Backend {
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) mysql_port: u16,
}

impl Backend {
    /// Starts one; `None`, and a loud word, where what it needs is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with_options(&[])
    }

    /// Starts one with these options of the database server.
    pub(crate) fn start_with_options(options: &[&str]) -> Option<Self> {
        Self::start_as(&[], options)
    }

    /// Starts one with MySQL below it; `None`, and a loud word, where it is not installed.
    pub(crate) fn start_on_mysql(options: &[&str]) -> Option<Self> {
        let check = Command::new(script("install-mysql")).arg("--check").output().expect("a script of ours");
        match check.status.code() {
            Some(0) => Self::start_as(&[("BACKEND_DATABASE", "mysql")], options),
            // Debian has none now. That is no fault of what is tested, and `ci/test` says it in its summary.
            Some(3) => {
                super::told(&format!("\n*** NOT TESTED, for want of {}\n", text(&check)));
                None
            }
            _ => {
                super::consumers::missing(&text(&check));
                None
            }
        }
    }

    fn start_as(env: &[(&str, &str)], options: &[&str]) -> Option<Self> {
        let check = Command::new(script("install")).arg("--check").output().expect("a script of ours");
        if !check.status.success() {
            super::consumers::missing(&format!("the backend: {}", text(&check)));
            return None;
        }
        // Short, because the path of a socket in it may have 107 bytes only.
        let folder = tempfile::Builder::new().prefix("palier-be-").tempdir().expect("a folder");
        let mut up = Command::new(script("backend"));
        let up = up.arg("up").arg(folder.path()).args(options).envs(env.iter().copied());
        let up = up.output().expect("a script of ours");
        assert!(up.status.success(), "{}", text(&up));
        let lines = String::from_utf8(up.stdout).expect("text");
        let value = |name: &str| {
            let line = lines.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim_matches('\'').to_owned()
        };
        let mysql_port = value("BACKEND_MYSQL_PORT=").parse().expect("a port");
        Some(Self { url: value("BACKEND_URL="), mysql_port, folder })
    }

    /// How palier's own user enters the database.
    pub(crate) fn mysql_url(&self, login: &str) -> String {
        format!("mysql://{login}@127.0.0.1:{}/businessdb", self.mysql_port)
    }

    /// How palier's own user enters the database over its Unix socket.
    pub(crate) fn socket_url(&self, login: &str) -> String {
        format!("mysql://{login}@localhost/businessdb?socket={}", self.log("mysql.sock").display())
    }

    /// A file of the backend: the log of the database, `mysql.log`, or of gunicorn, `backend.log`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a statement answers, run as the administrator.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let sql = Command::new(script("backend")).arg("sql").arg(self.folder.path()).arg(statement).output();
        let sql = sql.expect("a script of ours");
        assert!(sql.status.success(), "{}", text(&sql));
        String::from_utf8_lossy(&sql.stdout).trim().to_owned()
    }

    /// The same, without waiting for it.
    pub(crate) fn sql_meanwhile(&self, statement: &str) -> std::process::Child {
        let mut command = Command::new(script("backend"));
        command.arg("sql").arg(self.folder.path()).arg(statement).spawn().expect("a script of ours")
    }

    /// How often the server gave up waiting for a locked row.
    pub(crate) fn lock_timeouts(&self) -> f64 {
        let count = "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_timeouts'";
        self.sql(count).parse().expect("a number")
    }

    /// The process of the database server.
    pub(crate) fn database_pid(&self) -> u32 {
        let file = self.sql("SELECT @@pid_file");
        std::fs::read_to_string(file).expect("its pid").trim().parse().expect("a number")
    }

    /// A counter of the server.
    pub(crate) fn status(&self, variable: &str) -> u64 {
        let answer = self.sql(&format!("SHOW GLOBAL STATUS LIKE '{variable}'"));
        answer.split_whitespace().last().and_then(|value| value.parse().ok()).expect("a number")
    }

    /// Ends MariaDB and starts it again.
    pub(crate) fn restart_database(&self) {
        let restart = Command::new(script("backend")).arg("restart").arg(self.folder.path()).output();
        let restart = restart.expect("a script of ours");
        assert!(restart.status.success(), "{}", text(&restart));
    }

    /// How many employees there are.
    pub(crate) fn rows(&self) -> u64 {
        self.sql("SELECT COUNT(*) FROM employees").trim().parse().expect("a number")
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
