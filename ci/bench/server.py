"""The targets, each on a core of its own, on a free loopback port.

nginx gives the same 185 bytes for every request; the demo is palier's own employees API. Both count what they get.
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
    location / { default_type application/json; return 200 '%(body)s'; }
    location = /stub_status { stub_status; }
  }
}
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
    def __init__(self, work, core, files):
        self.work, self.core, self.files = work, core, files
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.asked = 0

    def __enter__(self):
        config = self.work / "nginx.conf"
        values = {"work": self.work, "port": self.port, "files": self.files, "body": BODY}
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

    def requests(self):
        """What it received so far, the questions of this function left out."""
        status = get(f"{self.url}stub_status")
        self.asked += 1
        return int(re.search(r"^ \d+ \d+ (\d+)", status, re.M).group(1)) - self.asked


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
