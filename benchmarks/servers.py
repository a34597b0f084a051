"""A PostgreSQL of a benchmark's own, and ports that are free."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def postgresql():
    """The URL of an empty database of a PostgreSQL of its own, tuned as it comes (fsync on); it refuses to run as root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parts[-2]))
    folder, port = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), free_port()
    as_root = os.getuid() == 0
    if as_root:
        shutil.chown(folder, "postgres")

    def run(*command):
        prefix = ["runuser", "-u", "postgres", "--"] if as_root else []
        home = pwd.getpwnam("postgres").pw_dir if as_root else None
        subprocess.run([*prefix, *map(str, command)], check=True, capture_output=True, cwd=home)

    try:
        run(programs / "initdb", "-D", folder / "data", "-U", "foresail", "--auth=trust", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        run(programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options, "start")
        yield f"postgresql+psycopg://foresail@127.0.0.1:{port}/postgres"
    finally:
        run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
