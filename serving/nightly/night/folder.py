"""The folder of one night: what its stages hand on to each other, each file whole or not there at all."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from serving.publish.whole_files import replacing


@dataclass(frozen=True)
class NightFolder:
    """`root`/20260301T000000.000000Z: Parquet and numpy files by step and part. It holds accounts, so it is removed when the night is complete."""

    root: Path
    as_of: datetime

    @property
    def path(self) -> Path:
        return self.root / f"{self.as_of.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"

    def write(self, step: str, part: int | str, rows: pa.Table) -> None:
        """Rows as the part of a step, in the place of what may be there."""
        written(self._file(step, part, "parquet"), lambda file: pq.write_table(rows, file, compression="zstd"))

    def read(self, step: str, part: int | str, columns: list[str] | None = None) -> pa.Table:
        """A part; text stays as dictionaries where it was written so."""
        return pq.read_table(self._file(step, part, "parquet"), columns=columns, memory_map=True)

    def write_matrix(self, step: str, part: int | str, matrix: NDArray[np.float64]) -> None:
        """Numbers as they are in memory: many, and read again soon."""
        written(self._file(step, part, "npy"), lambda file: np.save(file, matrix, allow_pickle=False))

    def open_matrix(self, step: str, part: int | str) -> NDArray[np.float64]:
        """The numbers, read from disk only where they are looked at."""
        opened: NDArray[np.float64] = np.load(self._file(step, part, "npy"), mmap_mode="r", allow_pickle=False)
        return opened

    def has(self, step: str, part: int | str, suffix: str = "parquet") -> bool:
        """Whether the part is there, and so is whole."""
        return self._file(step, part, suffix).exists()

    def remove(self, step: str) -> None:
        """All parts of a step."""
        shutil.rmtree(self.path / step, ignore_errors=True)

    @contextmanager
    def scratch(self, step: str) -> Iterator[Path]:
        """An empty folder for what a step needs only for a while; what a killed run left in it goes first."""
        self.remove(step)
        folder = self.path / step
        folder.mkdir(parents=True)
        yield folder
        self.remove(step)

    def remove_all(self) -> None:
        """The night itself and those before it that were never completed."""
        remove_files(self.root, self.path.name)

    def _file(self, step: str, part: int | str, suffix: str) -> Path:
        return self.path / step / f"{part}.{suffix}"


def remove_files(root: Path, until: str = "~") -> None:
    """The folders of all nights below `root` that are called so or stand before it; there need not be any."""
    for night in root.glob("*/"):
        if night.name <= until:
            shutil.rmtree(night)


def written(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a file that appears under its name only when it is whole; OSError, in words, where it cannot."""
    try:
        with replacing(path) as scratch, scratch.open("wb") as file:
            write(file)
    except OSError as failed:
        why = os.strerror(failed.errno) if failed.errno else str(failed)
        raise OSError(
            f"{path} cannot be written ({why}). Once that is put right, the same command goes on where it stopped"
        ) from failed
