"""Randomised arms: treatment, control and the holdout that no playbook acts on.

The random number is a hash of the account and the playbook. So it is the same every night and on every machine, does not
depend on other accounts, and is known before a decision; the numbers of two playbooks are independent.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TREATMENT, CONTROL, HOLDOUT = "treatment", "control", "holdout"
ALL = ""
"""Instead of a playbook: the holdout of all playbooks."""


def random_numbers(account_ids: Sequence[str], playbook: str) -> NDArray[np.float64]:
    """The random number of each account for a playbook, uniform in [0, 1), (accounts,)."""
    drawn = (
        hashlib.blake2b(f"{playbook}\n{account_id}".encode(), digest_size=8).digest() for account_id in account_ids
    )
    # 53 bits, which a float holds exactly: it is never rounded up to 1.
    return (np.frombuffer(b"".join(drawn), dtype=">u8") >> 11) / 2.0**53


def arms(account_ids: Sequence[str], playbook: str, control: float, holdout: float) -> NDArray[np.object_]:
    """The arm of each account: holdout for all playbooks, else control with that probability, else treatment, (accounts,)."""
    drawn = np.full(len(account_ids), TREATMENT, dtype=object)
    # The hashes of a million accounts take a second: skipped where the share is 0.
    for arm, name, share in ((CONTROL, playbook, control), (HOLDOUT, ALL, holdout)):
        if share > 0:
            drawn[random_numbers(account_ids, name) < share] = arm
    return drawn
