"""The PostgreSQL of the tests leaves nothing behind, whatever ends those who use it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from postgres import Postgres

STARTS = """
import sys, time
sys.path.insert(0, {support!r})
from postgres import Postgres
server = Postgres()
server.start()
print(server.folder, (server.folder / "data/postmaster.pid").read_text().splitlines()[0], flush=True)
time.sleep(600)
"""


def test__server__whose_starter_is_killed__ends_and_leaves_no_file():
    """It lies in memory where there is room; nobody would free that."""
    Postgres().remove()  # skips where there is none
    program = STARTS.format(support=str(Path(__file__).parents[1] / "support"))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    folder, server = process.stdout.readline().split()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 60
    while Path(folder).exists() or runs(int(server)):
        assert time.monotonic() < end, "the server is still there"
        time.sleep(0.05)


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
