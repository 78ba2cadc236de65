"""The targets, each on a core of its own, on a free loopback port.

nginx gives the same 185 bytes for every request; the demo is palier's own employees API; and nginx can give the demo's
answers, out of a can, for where the demo would be what limits. All count what they get.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from machine import pinned

BODY = '{"status":"healthy","database":"connected","padding":"'
BODY += "x" * (185 - len(BODY) - 2) + '"}'

CONFIG = """\
daemon off;
master_process off;
pid %(work)s/nginx.pid;
error_log %(work)s/nginx.log;
worker_rlimit_nofile %(files)d;
events { worker_connections %(files)d; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path %(work)s/body;
  proxy_temp_path %(work)s/proxy;
  fastcgi_temp_path %(work)s/fastcgi;
  scgi_temp_path %(work)s/scgi;
  uwsgi_temp_path %(work)s/uwsgi;
  server {
    listen 127.0.0.1:%(port)d backlog=16384;
    %(tls)s
    default_type application/json;
    %(locations)s
    location = /stub_status { stub_status; }
  }
}
"""

LOCATIONS = "location / { return 200 '%(body)s'; }"

# For every user the employee is the same one: nobody else looks.
CANNED = """\
location = /health { return 200 '%(health)s'; }
    location = /stats { return 200 '%(stats)s'; }
    location = /employees { if ($request_method = POST) { return 201 '%(employee)s'; } return 200 '%(employees)s'; }
    location / { return 200 '%(employee)s'; }
"""

TLS = """\
listen 127.0.0.1:%(tls_port)d ssl %(http2)s backlog=16384;
    ssl_certificate %(work)s/leaf.pem;
    ssl_certificate_key %(work)s/leaf.key;
"""
# Of the address, signed by an authority of its own: a certificate that signs itself is refused by some.
CERTIFICATES = """\
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench-authority \
  -keyout ca.key -out ca.pem &&
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bench -keyout leaf.key -out leaf.csr &&
printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > leaf.ext &&
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem
"""


def nginx_program():
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Server:
    """A program that answers while the `with` block runs."""

    process: subprocess.Popen

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        """The CPU time that it has used, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        # utime and stime, the 14th and 15th of all fields.
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def complaints(self):
        """What a run has left behind that it should not have."""
        return []


class Nginx(Server):
    """`protocol` is http, https or h2: HTTP/1.1, the same in TLS, or HTTP/2 in TLS."""

    def __init__(self, work, core, files, protocol="http"):
        self.work, self.core, self.files, self.protocol = work, core, files, protocol
        self.port = free_port()
        self.tls_port = free_port() if protocol != "http" else None
        self.url = f"https://127.0.0.1:{self.tls_port}/" if self.tls_port else f"http://127.0.0.1:{self.port}/"
        self.asked = 0

    def __enter__(self):
        config = self.work / "nginx.conf"
        values = {"work": self.work, "port": self.port, "files": self.files, "tls": self.tls(),
                  "locations": self.locations()}
        config.write_text(CONFIG % values, encoding="utf-8")
        self.process = subprocess.Popen(
            [nginx_program(), "-p", str(self.work), "-c", str(config), "-e", f"{self.work}/nginx.log"],
            preexec_fn=pinned(self.core))
        for _ in range(100):
            try:
                self.requests()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        log = (self.work / "nginx.log").read_text(encoding="utf-8")
        raise RuntimeError(f"nginx does not answer: {log[-500:]}")

    def locations(self):
        return LOCATIONS % {"body": BODY}

    def tls(self):
        if not self.tls_port:
            return ""
        subprocess.run(CERTIFICATES, shell=True, cwd=self.work, check=True, capture_output=True)
        http2 = "http2" if self.protocol == "h2" else ""
        return TLS % {"work": self.work, "tls_port": self.tls_port, "http2": http2}

    def requests(self):
        """What it received so far, the questions of this function left out."""
        status = get(f"http://127.0.0.1:{self.port}/stub_status")
        self.asked += 1
        return int(re.search(r"^ \d+ \d+ (\d+)", status, re.M).group(1)) - self.asked


class CannedDemo(Nginx):
    """nginx with the answers that the demo gave once."""

    def __init__(self, palier, work, core, files):
        super().__init__(work, core, files)
        self.palier = palier
        self.url = self.url.removesuffix("/")

    def locations(self):
        with Demo(self.palier, self.core) as demo:
            return CANNED % {
                "health": get(f"{demo.url}/health"),
                "stats": get(f"{demo.url}/stats"),
                "employees": get(f"{demo.url}/employees?page=1&per_page=10"),
                "employee": get(f"{demo.url}/employees/1"),
            }


class Demo(Server):
    def __init__(self, palier, core):
        self.palier, self.core = palier, core

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.palier, "demo", "--port", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=pinned(self.core))
        # Its first line is where it listens.
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the demo ended with {self.process.wait()}")
        self.rows = self.counts()["rows"]
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.process.stdout.close()

    def counts(self):
        return json.loads(get(f"{self.url}/__count"))

    def requests(self):
        """What it received so far; the question is not counted."""
        return self.counts()["total"]

    def complaints(self):
        before, self.rows = self.rows, self.counts()["rows"]
        return [f"left {self.rows - before} employees behind"] if self.rows != before else []
