"""The step `segment`: the segmentation of all accounts, from the files of all buckets, and back into files of buckets."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.history.attributes import attributes_as_of
from serving.nightly.night.columns import as_text, whole
from serving.nightly.night.night import Night
from serving.segmentation.assign import Segmentation, assign_segments
from serving.segmentation.inputs import NEEDED_ATTRIBUTES

READ = ("account_id", "target", "probability", "amount", "percentile", "band")
"""The columns of scores that segmentation reads."""


def segment(night: Night) -> None:
    """The segments of every account, the cuts of severity, and every move.

    The one step that needs all accounts at once: its cuts are quantiles. It holds some thirty numbers of each account.
    """
    if night.journal.has("segment") and night.folder.has("cuts", "all"):
        return
    scores = [night.folder.read("scores", bucket, list(READ)) for bucket in night.buckets]
    accounts = [_accounts_of(rows, len(night.models)) for rows in scores]
    segmentation = _segmentation(night, scores, accounts)
    _write(night, segmentation, [len(own) for own in accounts], [rows.num_rows for rows in scores])
    night.folder.write("cuts", "all", pa.Table.from_pandas(segmentation.cuts, preserve_index=False))
    moved = segmentation.moves["scheme"].value_counts().sort_index()
    moves = {str(scheme): int(count) for scheme, count in moved.items()}
    night.journal.note("segment", outcome={"accounts": len(segmentation.account_segments), "moves": moves})


def _segmentation(night: Night, scores: list[pa.Table], accounts: list[pa.ChunkedArray]) -> Segmentation:
    matrix = np.concatenate([night.folder.open_matrix("segmentation features", bucket) for bucket in night.buckets])
    ids = pd.Index(pa.chunked_array([chunk for own in accounts for chunk in own.chunks], pa.string()).to_pandas())
    return assign_segments(
        pd.DataFrame(matrix, index=ids.rename("account_id"), columns=night.segmentation_features.names, copy=False),
        _frame(pa.concat_tables(scores)),
        attributes_as_of(night.history, night.as_of, list(NEEDED_ATTRIBUTES)),
        night.folder.read("account_segments before", "all").to_pandas(),
        night.as_of,
        night.plan.segmentation,
    )


def _accounts_of(scores: pa.Table, targets: int) -> pa.ChunkedArray:
    """The accounts of a bucket: scores are target by target."""
    return scores["account_id"].slice(0, scores.num_rows // targets)


def _frame(scores: pa.Table) -> pd.DataFrame:
    words = {name: as_text(scores[name]) for name in ("target", "band")}
    plain = pa.table({name: words.get(name, scores[name]) for name in scores.column_names})
    frame: pd.DataFrame = plain.to_pandas()
    return frame


def _write(night: Night, segmentation: Segmentation, accounts: list[int], scores: list[int]) -> None:
    """Rows came bucket after bucket, and so they are given back; moves go where their account is."""
    account_segments = pa.Table.from_pandas(segmentation.account_segments, preserve_index=False)
    stakes = pa.Table.from_pandas(segmentation.scores[["value_at_stake", "severity"]], preserve_index=False)
    moves = pa.Table.from_pandas(segmentation.moves, preserve_index=False)
    places = pc.index_in(as_text(moves["account_id"]), value_set=whole(as_text(account_segments["account_id"])))
    moved_in = np.repeat(night.buckets, accounts)[places]
    first_account, first_score = 0, 0
    for bucket in night.buckets:
        night.folder.write("account_segments", bucket, account_segments.slice(first_account, accounts[bucket]))
        night.folder.write("stakes", bucket, stakes.slice(first_score, scores[bucket]))
        night.folder.write("moves", bucket, moves.filter(pa.array(moved_in == bucket)))
        first_account, first_score = first_account + accounts[bucket], first_score + scores[bucket]
