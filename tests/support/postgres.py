"""A PostgreSQL of the tests' own: in a folder of its own at a port that is free, stopped and started as a test likes."""

import getpass
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from fast_folder import fast_folder

# A server whose data nobody needs after a crash of the machine. A commit is kept all the same when the server is
# killed: tests stop it at once and count.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "shared_buffers": "32MB",
}


class Postgres:
    """An empty server; `address` is user, host and port. Not started yet."""

    def __init__(self):
        self._programs = _programs()
        # Short, because the path of a socket may have 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir=fast_folder()))
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else getpass.getuser()
        if os.getuid() == 0:
            shutil.chown(self.folder, self._user)
        self._data, self._port = self.folder / "data", _free_port()
        self.address = f"foresail@127.0.0.1:{self._port}"
        self._guard = self._guarded()
        self._run("initdb", "-U", "foresail", "--auth=trust", "-E", "UTF8", "--no-sync")

    def start(self):
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        options = f"-p {self._port} -k {self.folder} {settings}"
        self._run("pg_ctl", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self):
        """At once, as a crash would: whatever is under way is cut off."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-m", "immediate", "stop")

    def remove(self):
        self._guard.communicate()

    def _guarded(self):
        """A process that waits until this one closes its pipe or ends, even by `kill -9`, and then removes the server."""
        stop = shlex.join(self._command("pg_ctl", "-m", "immediate", "stop"))
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            ["sh", "-c", f"read -r _; {stop}; rm -rf {self.folder}"],
            stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True,
        )  # fmt: skip

    def _run(self, program, *arguments):
        home = pwd.getpwnam(self._user).pw_dir if os.getuid() == 0 else "/"
        subprocess.run(self._command(program, *arguments), check=True, capture_output=True, cwd=home)

    def _command(self, program, *arguments):
        prefix = ["runuser", "-u", self._user, "--"] if os.getuid() == 0 else []
        return [*map(str, [*prefix, self._programs / program, "-D", self._data, *arguments])]


class Databases:
    """Makes databases of a server, and removes those that tests have left."""

    def __init__(self, address):
        self._address = address
        self._engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        self._left = []

    def make(self, template="template1"):
        """The URL of a new database that is a copy of another, to which nobody may be connected."""
        self._remove_left()
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"create database {name} template {template}")
        return self._url(name)

    def leave(self, url):
        """Remove a database when the next one is made: by then the server has noticed that its users are gone."""
        self._left.append(sa.make_url(url).database)

    def close(self):
        self._remove_left()
        self._engine.dispose()

    def _remove_left(self):
        while self._left:
            self._execute(f"drop database {self._left.pop()} with (force)")

    def _execute(self, statement):
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def _url(self, name):
        return f"postgresql+psycopg://{self._address}/{name}"


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
