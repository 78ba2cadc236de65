"""The two database servers that `backend` can start: MariaDB, and MySQL."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "palier-tests"
USER = pwd.getpwuid(os.geteuid()).pw_name


class Trouble(Exception):
    """What the caller is told, without a stack trace."""


class MariaDB:
    """As Debian packages it."""

    name = "MariaDB"
    settings = HERE / "mariadb.cnf"
    # The administrator has no password and no network: the user who runs this, over the socket, and nobody else.
    administrator = USER

    def missing(self):
        return [name for name in ("mariadbd", "mariadb-install-db", "mariadb") if not shutil.which(name)]

    def version(self):
        return output(["mariadbd", "--no-defaults", "--version"])

    def command(self, data):
        # --user, because MariaDB runs as root only when told to. It does: a test's folder is closed to others.
        return ["mariadbd", f"--defaults-file={self.settings}", f"--datadir={data}", f"--tmpdir={data}",
                f"--user={USER}", f"--pid-file={data / 'mariadbd.pid'}"]

    def client(self):
        return ["mariadb"]

    def make(self, folder, schema):
        install = ["mariadb-install-db", f"--defaults-file={self.settings}", f"--datadir={folder}",
                   "--auth-root-authentication-method=socket", f"--auth-root-socket-user={USER}", f"--user={USER}",
                   "--skip-test-db"]
        run(install, folder.with_suffix(".log"))
        # --bootstrap runs statements without opening a port or a socket, and ends in order. It knows no accounts until
        # it is told to read them.
        fill = b"FLUSH PRIVILEGES;\n" + schema.read_bytes()
        run([*self.command(folder), "--bootstrap"], folder.with_suffix(".log"), fill)


class MySQL:
    """As Debian's unstable packages it, unpacked by `install-mysql` into the cache folder beside the system."""

    name = "MySQL"
    settings = HERE / "mysql.cnf"
    # Without a password; its server listens on this machine alone, and lives as long as a test.
    administrator = "root"
    root = CACHE / "mysql"

    def missing(self):
        return [] if (self.root / "ready").exists() else ["MySQL"]

    def version(self):
        return output([self.root / "mysqld", "--no-defaults", "--version"])

    def command(self, data):
        usr = self.root / "usr"
        return [str(self.root / "mysqld"), f"--defaults-file={self.settings}", f"--basedir={usr}",
                f"--lc-messages-dir={usr / 'share/mysql'}", f"--plugin-dir={usr / 'lib/mysql/plugin'}",
                f"--datadir={data}", f"--tmpdir={data}", f"--user={USER}", f"--pid-file={data / 'mysqld.pid'}"]

    def client(self):
        # MariaDB's speaks the same protocol, and the password is empty.
        return ["mariadb"]

    def make(self, folder, schema):
        folder.rmdir()  # or it would be taken for one that is in use
        make = [*self.command(folder), "--initialize-insecure", f"--init-file={schema}"]
        # Temporary files cannot be in a folder that is still to be made.
        make = [argument for argument in make if not argument.startswith("--tmpdir=")]
        run(make, folder.with_suffix(".log"))


def server(product):
    """The server of that name, as BACKEND_DATABASE has it."""
    known = {"mariadb": MariaDB, "mysql": MySQL}
    if product not in known:
        raise Trouble(f"BACKEND_DATABASE is {product}; there are {' and '.join(known)}")
    return known[product]()


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def run(command, log, statements=b""):
    with log.open("wb") as into:
        done = subprocess.run(command, input=statements, stdout=into, stderr=into)
    if done.returncode != 0:
        raise Trouble(f"{command[0]} failed:\n{tail(log)}")
    log.unlink()


def digest(*parts):
    return hashlib.sha256(b"|".join(parts)).hexdigest()[:12]


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
