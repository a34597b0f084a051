"""The step `explain`: the reasons of the scores that are worth them.

A reason costs milliseconds, so the number is bounded: of the risks, the accounts from a severity on, those with the most
at stake first; of every target at least the highest answers.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrays import Integers
from features.engine.feature_names import Names
from registry.loader import LoadedModel
from serving.nightly.night.columns import whole
from serving.nightly.night.night import Explained, Night
from serving.nightly.steps.score import answer_of
from serving.publish.tables import REASON
from serving.scoring.scores import Rows, reasons_for, riskiest
from serving.scoring.value_terms import SEVERITIES

REASONS = pa.list_(REASON)


def explain(night: Night) -> None:
    """Reasons of the scores that are worth it; the features of all accounts, which are many, go afterwards."""
    if todo := night.missing_buckets("explain", "reasons"):
        _explain(night, todo)
    night.folder.remove("features")


def _explain(night: Night, buckets: Sequence[int]) -> None:
    folder, models, names = night.folder, night.models, night.features.names
    chosen = _chosen(night)

    def explain_one(bucket: int) -> int:
        matrix = folder.open_matrix("features", bucket)
        reasons = reasons_of_bucket(models, names, matrix, chosen[bucket], night.plan.currency)
        folder.write("reasons", bucket, pa.table({"reasons": reasons}))
        return len(chosen[bucket])

    night.in_parts("explain", explain_one, buckets, "reasons")


def _chosen(night: Night) -> list[np.ndarray]:
    """By bucket the positions of the scores to explain."""
    read = [
        night.folder.read("scores", bucket, ["target", "probability", "amount", "days"]) for bucket in night.buckets
    ]
    stakes = [night.folder.read("stakes", bucket) for bucket in night.buckets]
    wanted = to_explain(
        joined(map(answer_of, read)),
        joined(table["severity"] for table in stakes),
        joined(table["value_at_stake"] for table in stakes),
        joined(table["target"] for table in read),
        night.plan.explained,
    )
    ends = np.cumsum([table.num_rows for table in read])
    parts = np.split(wanted, np.searchsorted(wanted, ends[:-1]))
    return [part - start for part, start in zip(parts, [0, *ends[:-1]], strict=True)]


def to_explain(
    answers: pa.Array, severity: pa.Array, at_stake: pa.Array, targets: pa.Array, chosen: Explained
) -> Integers:
    """The positions of the scores to explain, ascending, of arrays that are aligned over all scores of a night."""
    from_here_on = SEVERITIES[SEVERITIES.index(chosen.severity) :]
    severe = np.flatnonzero(pc.is_in(severity, pa.array(from_here_on)).to_numpy(zero_copy_only=False))
    stakes = at_stake.to_numpy(zero_copy_only=False)[severe]
    wanted = [severe[riskiest(stakes, chosen.most)]]
    for target in pc.unique(targets).to_pylist():
        own = np.flatnonzero(pc.equal(targets, target).to_numpy(zero_copy_only=False))
        wanted.append(own[riskiest(answers.to_numpy(zero_copy_only=False)[own], chosen.top)])
    return np.unique(np.concatenate(wanted))


def reasons_of_bucket(
    models: Sequence[LoadedModel], names: Sequence[str], matrix: NDArray[np.float64], places: Integers, currency: str
) -> pa.Array:
    """Reasons at these places among the bucket's scores, null at the others; as many as scores: models × accounts."""
    accounts = len(matrix)
    found: dict[int, list[dict[str, object]]] = {}
    for number, model in enumerate(models):
        own = places[(places >= number * accounts) & (places < (number + 1) * accounts)]
        rows = Rows(Names(names), np.array(matrix[own - number * accounts]))
        for place, reasons in zip(own.tolist(), reasons_for(model, rows, currency), strict=True):
            found[place] = [vars(reason) for reason in reasons]
    return _spread(found, accounts * len(models))


def _spread(found: dict[int, list[dict[str, object]]], rows: int) -> pa.Array:
    """A list at each place that has one, null at the others."""
    lists = pa.array(list(found.values()), REASONS)
    where = np.full(rows, -1)
    where[list(found)] = np.arange(len(found))
    return lists.take(pa.array(where, mask=where < 0))


def joined(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    """The same column of all buckets in one piece."""
    return whole(pa.chunked_array([chunk for column in columns for chunk in column.chunks]))
