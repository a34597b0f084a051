"""Erasing an account wherever Foresail has it: history, operational database, files, and the models that learnt from it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.models import TrainedOn, trained_on
from foresail.operations.nightly import NIGHTS

if TYPE_CHECKING:
    import sqlalchemy as sa

    from features.history.erasure import Erased
    from features.history.store import History
    from foresail.config.project import Project
    from foresail.operations.published_files import Cleaned


@dataclass(frozen=True)
class Forgotten:
    """What was removed, and what cannot be: `learnt` are registered models that were trained with the account.

    `database` counts rows of the operational database by table. For the models in `perhaps_learnt` the versions that they were
    trained on are unknown, or can no longer be read.
    """

    erased: "Erased"
    published: "tuple[Cleaned, ...]"
    database: Mapping[str, int]
    learnt: tuple[TrainedOn, ...]
    perhaps_learnt: tuple[TrainedOn, ...]


def forget(project: "Project", account_id: str, progress: StepProgress | None = None) -> Forgotten:
    """Remove every trace of an account, and say which models were trained with it.

    Files of an interrupted night are removed as well; NightRunning while a night runs. The models are searched first: afterwards it is
    unknown which of them were trained with the account. Published files and the operational database come
    before the history, so that a killed run that is repeated still knows every id that was merged into the account.
    """
    from features.history.erasure import forget, ids_to_forget
    from foresail.operations.published_files import remove_accounts

    history = project.history
    ids = ids_to_forget(history, account_id)
    learnt, perhaps = _learnt(history, ids, trained_on(project, unreadable_is_unknown=True))
    with _no_night(project) as engine:
        published = tuple(remove_accounts(project, ids))
        database = _forget_in_database(engine, ids)
        return Forgotten(forget(history, account_id, progress), published, database, learnt, perhaps)


@contextmanager
def _no_night(project: "Project") -> "Iterator[sa.Engine]":
    """The operational database while no night runs: a running night would write the erased account again.

    The files of an interrupted night, which hold the account, are removed.
    """
    from serving.database.engine import opened
    from serving.nightly.night.folder import remove_files
    from serving.nightly.night.lock import only_night

    engine = opened(project.database)
    try:
        with only_night(project.directory / NIGHTS, engine):
            remove_files(project.directory / NIGHTS)
            yield engine
    finally:
        engine.dispose()


def _forget_in_database(engine: "sa.Engine", ids: Sequence[str]) -> dict[str, int]:
    from serving.database.forget import forget
    from serving.database.upgrade import upgrade

    upgrade(engine)
    return forget(engine, ids)


def _learnt(
    history: "History", ids: Sequence[str], models: Sequence[TrainedOn]
) -> tuple[tuple[TrainedOn, ...], tuple[TrainedOn, ...]]:
    """The models that were trained with one of the accounts, and those for which that is unknown."""
    from features.history.erasure import holding

    told = [(model, holding(history, ids, model.versions) if model.versions else None) for model in models]
    return tuple(model for model, held in told if held), tuple(model for model, held in told if held is None)
