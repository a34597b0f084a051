"""Rivals in environments of their own, so that what they need never meets what Foresail needs.

A rival is a script `with_<name>.py` beside this file and, unless it runs in Foresail's own environment, a `<name>.txt`
of requirements. The environment is made on first use under `.bench/peers/` and again whenever the requirements change.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import BENCH, Run
from peers.training_shape import Question

HERE = Path(__file__).parent


class Unanswered(Exception):
    """A rival could not be installed, failed, or took too long; the message says which, and why."""


def ask(name: str, form: str, question: Question, answer: Path, seconds: float) -> Run:
    """Have a rival answer a question into the Parquet file `answer`; Unanswered if it does not within `seconds`."""
    python = interpreter(name)
    with tempfile.TemporaryDirectory() as folder:
        asked, figures = Path(folder) / "question.json", Path(folder) / "run.json"
        question.write(asked)
        command = [python, HERE / f"with_{name}.py", form, asked, answer, figures]
        _finish(command, f"{name}, {form}", seconds)
        return Run(**json.loads(figures.read_text()) | {"answer": answer})


def run_script(name: str, arguments: list[str | Path], seconds: float) -> None:
    """Run a rival's script in its environment; Unanswered if it fails or is not done within `seconds`."""
    _finish([interpreter(name), HERE / f"with_{name}.py", *arguments], name, seconds)


def interpreter(name: str) -> Path:
    """The Python of a rival's environment, which is made if it is not there."""
    requirements = HERE / f"{name}.txt"
    if not requirements.exists():
        return Path(sys.executable)
    folder = BENCH / "peers" / name
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        _finish([sys.executable, "-m", "venv", "--clear", folder], f"{name} cannot have an environment", 300)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _finish([*pip, "--requirement", requirements], f"{name} cannot be installed", 1200)
        installed.write_text(requirements.read_text())
    return folder / "bin/python"


def _finish(command: list[str | Path], what: str, seconds: float) -> None:
    search = os.environ | {"PYTHONPATH": str(HERE.parent)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=search, check=False)
    except subprocess.TimeoutExpired:
        raise Unanswered(f"{what}: not done after {seconds:,.0f} s") from None
    if done.returncode:
        said = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        raise Unanswered(f"{what}: {said[:300]}")
