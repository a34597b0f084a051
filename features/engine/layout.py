"""The compiled parts of laying events out: tests as bits, words as an account's own small numbers, order in time."""

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled


@compiled
def mark_words(codes: Array, bits_of_word: Array, bits: Array) -> None:
    """Give each event the bits of its word; `bits_of_word` has a place for every code, the last for a missing word."""
    for event in range(codes.shape[0]):
        bits[event] |= bits_of_word[codes[event]]


@compiled
def mark_within(numbers: Array, lowest: float, highest: float, bit: int, bits: Array) -> None:
    """Set the bit of each event whose number lies between the limits, both included; a missing one does not."""
    for event in range(numbers.shape[0]):
        if lowest <= numbers[event] <= highest:
            bits[event] |= bit


@compiled
def number_words(codes: Array, words: int, offsets: Array, labels: Array) -> int:
    """Number each account's different words from 0 on, in the order in which they come; the most that any account has."""
    label = np.empty(words, dtype=np.int32)
    account_of = np.full(words, -1, dtype=np.int64)
    most = 0
    for account in range(offsets.shape[0] - 1):
        different = 0
        for event in range(offsets[account], offsets[account + 1]):
            code = codes[event]
            if code < 0:
                labels[event] = -1
                continue
            if account_of[code] != account:
                account_of[code] = account
                label[code] = different
                different += 1
            labels[event] = label[code]
        most = max(most, different)
    return most


@compiled
def order_in_time(occurred_at: Array, offsets: Array, order: Array) -> bool:
    """Write the stable order of events by moment within each account; whether any event changes its place."""
    moved = False
    for account in range(offsets.shape[0] - 1):
        start, end = offsets[account], offsets[account + 1]
        for event in range(start, end):
            order[event] = event
        for event in range(start + 1, end):
            if occurred_at[event] < occurred_at[event - 1]:
                order[start:end] = start + np.argsort(occurred_at[start:end], kind="mergesort")
                moved = True
                break
    return moved
