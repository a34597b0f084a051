"""A PostgreSQL of the tests' own: in a folder of its own at a port that is free, stopped and started as a test likes."""

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest


class Postgres:
    """An empty server; `address` is user, host and port. Not started yet."""

    def __init__(self):
        self._programs = _programs()
        # Short, because the path of a socket may have 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else getpass.getuser()
        if os.getuid() == 0:
            shutil.chown(self.folder, self._user)
        self._data, self._port = self.folder / "data", _free_port()
        self.address = f"foresail@127.0.0.1:{self._port}"
        self._run("initdb", "-U", "foresail", "--auth=trust", "-E", "UTF8", "--no-sync")

    def start(self):
        options = f"-p {self._port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self):
        """At once, as a crash would: whatever is under way is cut off."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-m", "immediate", "stop")

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program, *arguments):
        prefix = ["runuser", "-u", self._user, "--"] if os.getuid() == 0 else []
        home = pwd.getpwnam(self._user).pw_dir if os.getuid() == 0 else "/"
        command = [*prefix, self._programs / program, "-D", self._data, *arguments]
        subprocess.run([*map(str, command)], check=True, capture_output=True, cwd=home)


def _programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    if not found:
        pytest.skip("PostgreSQL is not installed (make test does it where it may: apt-get install postgresql)")
    return found[-1].parent


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
