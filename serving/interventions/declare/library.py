"""The ready library: playbooks, rules and SLAs of `library.toml`, of which a project chooses by name."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

from registry.target_kinds import GROWTH, RISKS
from serving.interventions.declare.settings import InterventionSettings, Library, Playbook, Role, Rule
from serving.segmentation.settings import TargetOf

TARGET_KINDS = {"risk": RISKS, "growth": GROWTH}
"""`for` of a playbook in the library → the kinds of target that it fits."""
Section = Literal["playbooks", "rules", "sla"]
SECTIONS: tuple[Section, ...] = ("playbooks", "rules", "sla")


@cache
def library() -> InterventionSettings:
    """The library as its file has it: `for` of a playbook is risk or growth."""
    text = resources.files("serving.interventions.declare").joinpath("library.toml").read_text(encoding="utf-8")
    return InterventionSettings.model_validate(tomllib.loads(text))


def with_library(
    project: InterventionSettings, chosen: Library, targets: Mapping[str, TargetOf]
) -> tuple[InterventionSettings, list[str]]:
    """The project's settings with the chosen entries of the library, and the problems of the choice.

    A table of the project replaces the library's table of the same name. Chosen entries bring the roles that they need. A
    rule whose playbook is not in use only warns.
    """
    entries: dict[Section, dict[str, Any]] = {
        section: _chosen(section, getattr(chosen, section), targets) for section in SECTIONS
    }
    playbooks = {name: _for_project(one, targets) for name, one in entries["playbooks"].items()} | project.playbooks
    rules = {name: _with_start(rule, playbooks) for name, rule in entries["rules"].items()} | project.rules
    merged = project.model_copy(update={"playbooks": playbooks, "rules": rules, "sla": entries["sla"] | project.sla})
    roles = _needed_roles(entries) | project.roles
    return merged.model_copy(update={"roles": roles}), list(_wrong_choices(chosen, targets))


def unusable_playbooks(chosen: Library, targets: Mapping[str, TargetOf]) -> dict[str, str]:
    """The playbooks of the library that "all" leaves out in this project, and why."""
    if chosen.playbooks != "all":
        return {}
    playbooks = library().playbooks
    return {name: _lacking(one) for name, one in playbooks.items() if _target_name(one, targets) is None}


def _chosen(section: Section, names: Sequence[str], targets: Mapping[str, TargetOf]) -> dict[str, Any]:
    there = getattr(library(), section)
    wanted = there if names == "all" else names
    found = {name: there[name] for name in wanted if name in there}
    return {
        name: one
        for name, one in found.items()
        if not isinstance(one, Playbook) or _target_name(one, targets) is not None
    }


def _target_name(playbook: Playbook, targets: Mapping[str, TargetOf]) -> str | None:
    """The project's target of an entry: the first target of the first kind that the project has."""
    of_sort = (
        name for kind in TARGET_KINDS[playbook.outcome] for name, target in targets.items() if target.kind == kind
    )
    return next(of_sort, None)


def _for_project(playbook: Playbook, targets: Mapping[str, TargetOf]) -> Playbook:
    return playbook.model_copy(update={"outcome": _target_name(playbook, targets)})


def _with_start(rule: Rule, playbooks: Mapping[str, Playbook]) -> Rule:
    return rule if rule.start in playbooks else rule.model_copy(update={"start": None})


def _needed_roles(entries: Mapping[Section, Mapping[str, Any]]) -> dict[str, Role]:
    """The roles of the chosen entries; the project declares the roles of its own entries."""
    of_slas = (role for sla in entries["sla"].values() for role in (*sla.notify, sla.escalate_to))
    needed = {*(playbook.role for playbook in entries["playbooks"].values()), *of_slas}
    return {name: role for name, role in library().roles.items() if name in needed}


def _wrong_choices(chosen: Library, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    from serving.interventions.declare.expressions import nearest

    for section in SECTIONS:
        there, names = getattr(library(), section), getattr(chosen, section)
        for name in () if names == "all" else names:
            if name not in there:
                near = nearest(name, there, "docs/reference/playbooks.md lists it")
                yield f'library.{section} has "{name}": the library has no such entry; {near}'
            elif section == "playbooks" and _target_name(there[name], targets) is None:
                yield f'library.playbooks has "{name}": {_lacking(there[name])}'


def _lacking(playbook: Playbook) -> str:
    kinds = TARGET_KINDS[playbook.outcome]
    return f"it needs a target of kind {', '.join(kinds[:-1])} or {kinds[-1]}; add a table [targets.{kinds[0]}]"
