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


class Nginx:
    """Runs while its `with` block does, on a free loopback port."""

    def __init__(self, work, core, files):
        self.work, self.core, self.files = work, core, files
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        config = self.work / "nginx.conf"
        config.write_text(CONFIG % {"work": self.work, "port": self.port, "files": self.files, "body": BODY}, encoding="utf-8")
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
        raise RuntimeError(f"nginx does not answer: {(self.work / 'nginx.log').read_text(encoding='utf-8')[-500:]}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def requests(self):
        """All requests so far, the question itself included."""
        with urllib.request.urlopen(f"{self.url}stub_status", timeout=10) as answer:
            return int(re.search(r"^ \d+ \d+ (\d+)", answer.read().decode(), re.M).group(1))


class Demo:
    """`palier demo`, while its `with` block runs."""

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
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def counts(self):
        """What it received so far; the question is not counted."""
        with urllib.request.urlopen(f"{self.url}/__count", timeout=10) as answer:
            return json.load(answer)

    def requests(self):
        return self.counts()["total"]
