"""The lot: who of a playbook's accounts is acted on, who is kept as control, and whom no playbook acts on.

A lot is a hash of the account and the playbook. So it is the same every night and on every machine, does not depend on who
else is there, and is known before anything is decided; that of one playbook says nothing about that of another.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TREATMENT, CONTROL, HOLDOUT = "treatment", "control", "holdout"
ALL = ""
"""In the place of a playbook: the holdout of all of them."""


def random_numbers(account_ids: Sequence[str], playbook: str) -> NDArray[np.float64]:
    """Of each account its lot for a playbook: a number in [0, 1), evenly spread, (accounts,)."""
    drawn = (hashlib.blake2b(f"{playbook}\n{one}".encode(), digest_size=8).digest() for one in account_ids)
    # 53 bits, which a float holds exactly: it is never rounded up to 1.
    return (np.frombuffer(b"".join(drawn), dtype=">u8") >> 11) / 2.0**53


def arms(account_ids: Sequence[str], playbook: str, control: float, holdout: float) -> NDArray[np.object_]:
    """Of each account its arm: holdout whatever the playbook, else control with that chance, else treatment, (accounts,)."""
    drawn = np.full(len(account_ids), TREATMENT, dtype=object)
    # A hash for each of a million accounts takes a second: not where nobody is kept.
    for arm, name, share in ((CONTROL, playbook, control), (HOLDOUT, ALL, holdout)):
        if share > 0:
            drawn[random_numbers(account_ids, name) < share] = arm
    return drawn
