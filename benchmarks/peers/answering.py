"""What every rival's script does with its question: answer it in the form asked for, measured, and write the answer.

    PYTHONPATH=benchmarks python benchmarks/peers/with_polars.py FORM question.json answer.parquet run.json

Standard library only. Writing the answer is not measured.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from measure import repeated
from training_shape import Question


def answer(
    forms: dict[str, Callable[[Question], Any]],
    save: Callable[[Any, Question, str], None],
    size_mb: Callable[[Any], float] = lambda _: 0.0,
    others: Iterable[int] = (),
) -> None:
    """Answer the question named on the command line."""
    form, asked, answered, figures = sys.argv[1:]
    question = Question.read(asked)
    run = repeated(forms[form], [question], size_mb=size_mb, others=others)
    save(run.answer, question, answered)
    kept = asdict(replace(run, answer=None))
    Path(figures).write_text(json.dumps(kept))
