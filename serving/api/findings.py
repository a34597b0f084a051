"""What pydantic finds wrong with a request → problems, in words for whoever sent it."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from serving.api.problems import NOT_JSON, Problem, problem_of
from serving.errors import MalformedEvent, MalformedRequest, pointer
from serving.online.schemas import ScoreRequest, names_at

Finding = Mapping[str, Any]
"""One of pydantic's `errors()`."""

OUTSIDE = ("query", "path", "header")
"""Where FastAPI finds parameters that are not in the body."""


def problem_of_findings(findings: Sequence[Finding], asked: type[BaseModel] = ScoreRequest) -> Problem:
    """One problem for all findings of a body of this kind."""
    if findings[0].get("type") == "json_invalid":
        return Problem(NOT_JSON, str(findings[0]["msg"]))
    in_events = all("events" in finding["loc"] for finding in findings)
    kind = MalformedEvent if in_events else MalformedRequest
    return problem_of(kind.of_items([_error(finding, asked) for finding in findings]))


def problem_of_validation(findings: Sequence[Finding], asked: type[BaseModel]) -> Problem:
    """As `problem_of_findings`, for FastAPI's findings: their place begins with where the request has it."""
    outside = [finding for finding in findings if finding["loc"][0] in OUTSIDE]
    if outside:
        return problem_of(MalformedRequest("; ".join(map(_said_of_parameter, outside))))
    return problem_of_findings([{**finding, "loc": finding["loc"][1:]} for finding in findings], asked)


def said(finding: Finding, known: Sequence[str]) -> str:
    """What is wrong; of an unknown name also which of the known ones may have been meant."""
    if finding["type"] != "extra_forbidden":
        return str(finding["msg"])
    name = finding["loc"][-1]
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    meant = f"did you mean '{nearest[0]}'?" if nearest else f"known are {', '.join(known)}"
    return f"there is no '{name}' here; {meant}"


def _error(finding: Finding, asked: type[BaseModel]) -> dict[str, str]:
    place = pointer(*finding["loc"])
    known = names_at(finding["loc"], asked) if finding["type"] == "extra_forbidden" else ()
    return {"detail": f"{place}: {said(finding, known)}", "pointer": place}


def _said_of_parameter(finding: Finding) -> str:
    where, name = finding["loc"][:2]
    return f"{where} parameter '{name}': {finding['msg']}, not {str(finding['input'])[:100]!r}"
