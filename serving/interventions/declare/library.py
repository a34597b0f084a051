"""The ready library of playbooks, rules and SLAs (library.toml), and what of it a project has chosen."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

from registry.target_kinds import GROWTH, RISKS
from serving.interventions.declare.settings import InterventionSettings, Library, Playbook, Role, Rule
from serving.segmentation.settings import TargetOf

TARGET_KINDS = {"risk": RISKS, "growth": GROWTH}
"""What an entry of the library is for, and the kinds of target that can be meant."""
Section = Literal["playbooks", "rules", "sla"]
SECTIONS: tuple[Section, ...] = ("playbooks", "rules", "sla")


@cache
def library() -> InterventionSettings:
    """All of it, as the file has it: what a playbook is `for` is the sort of its target, risk or growth."""
    text = resources.files("serving.interventions.declare").joinpath("library.toml").read_text(encoding="utf-8")
    return InterventionSettings.model_validate(tomllib.loads(text))


def with_library(
    own: InterventionSettings, chosen: Library, targets: Mapping[str, TargetOf]
) -> tuple[InterventionSettings, list[str]]:
    """The project's own and what it has chosen of the library, and what is wrong with the choice.

    A table of the project's own replaces the library's of the same name. The roles that chosen entries need come along. A
    rule whose playbook is not in use only warns.
    """
    entries: dict[Section, dict[str, Any]] = {
        section: _chosen(section, getattr(chosen, section), targets) for section in SECTIONS
    }
    playbooks = {name: _for_project(one, targets) for name, one in entries["playbooks"].items()} | own.playbooks
    rules = {name: _with_start(rule, playbooks) for name, rule in entries["rules"].items()} | own.rules
    merged = own.model_copy(update={"playbooks": playbooks, "rules": rules, "sla": entries["sla"] | own.sla})
    roles = _needed_roles(entries) | own.roles
    return merged.model_copy(update={"roles": roles}), list(_wrong_choices(chosen, targets))


def unusable_playbooks(chosen: Library, targets: Mapping[str, TargetOf]) -> dict[str, str]:
    """Playbooks of the library that "all" does not bring into this project, and why."""
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
    """The project's target that an entry is for: the first of the first kind that there is one of."""
    of_sort = (
        name for kind in TARGET_KINDS[playbook.outcome] for name, target in targets.items() if target.kind == kind
    )
    return next(of_sort, None)


def _for_project(playbook: Playbook, targets: Mapping[str, TargetOf]) -> Playbook:
    return playbook.model_copy(update={"outcome": _target_name(playbook, targets)})


def _with_start(rule: Rule, playbooks: Mapping[str, Playbook]) -> Rule:
    return rule if rule.start in playbooks else rule.model_copy(update={"start": None})


def _needed_roles(entries: Mapping[Section, Mapping[str, Any]]) -> dict[str, Role]:
    """Of the library's entries alone: a role that the project's own ask for is the project's to declare."""
    of_slas = (role for sla in entries["sla"].values() for role in (*sla.notify, sla.escalate_to))
    needed = {*(playbook.role for playbook in entries["playbooks"].values()), *of_slas}
    return {name: role for name, role in library().roles.items() if name in needed}


def _wrong_choices(chosen: Library, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    from serving.interventions.declare.expressions import nearest

    for section in SECTIONS:
        there, names = getattr(library(), section), getattr(chosen, section)
        for name in () if names == "all" else names:
            if name not in there:
                near = nearest(name, there, "docs/playbooks.md lists it")
                yield f'library.{section} has "{name}": the library has no such entry; {near}'
            elif section == "playbooks" and _target_name(there[name], targets) is None:
                yield f'library.playbooks has "{name}": {_lacking(there[name])}'


def _lacking(playbook: Playbook) -> str:
    kinds = TARGET_KINDS[playbook.outcome]
    return f"it needs a target of kind {', '.join(kinds[:-1])} or {kinds[-1]}; add a table [targets.{kinds[0]}]"
