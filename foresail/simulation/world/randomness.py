"""Chance as a function: what is drawn depends on who, when and what for, and on nothing else.

A draw is a hash of (key, number, purpose), so that it does not matter in which order accounts are simulated, in blocks
of what size, or what else is drawn: one more playbook, or one account more, moves no other draw. Two futures of one
account that differ in a single deed share all their chance, which is what makes the effect of the deed visible.

The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), applied once per key and once per draw.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from features.arrays import Array
from features.engine.compilation import compiled_without_memory

_GOLDEN, _FIRST, _SECOND, _THIRD = (
    np.uint64(constant) for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)
_BY_30, _BY_27, _BY_31, _BY_11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_BY_16, _LOW_16 = np.uint64(16), np.uint64(0xFFFF)
_UNIT = 1.0 / (1 << 53)
_BELL = float(np.sqrt(3.0) / 65536.0)
_BELL_MEAN = 2.0 * 65535.0


@compiled_without_memory
def mixed(one: Any, other: Any) -> Any:
    """A key of two numbers: 64 bits in which every bit of both has a say."""
    z = np.uint64(one) * _THIRD + np.uint64(other) * _GOLDEN + _GOLDEN
    z = (z ^ (z >> _BY_30)) * _FIRST
    z = (z ^ (z >> _BY_27)) * _SECOND
    return z ^ (z >> _BY_31)


@compiled_without_memory
def bits(key: Any, number: Any, purpose: Any) -> Any:
    """64 random bits for one purpose at one number, such as a day."""
    z = np.uint64(key) + np.uint64(number) * _GOLDEN + np.uint64(purpose) * _THIRD
    z = (z ^ (z >> _BY_30)) * _FIRST
    z = (z ^ (z >> _BY_27)) * _SECOND
    return z ^ (z >> _BY_31)


@compiled_without_memory
def uniform(key: Any, number: Any, purpose: Any) -> Any:
    """A draw from [0, 1)."""
    return float(bits(key, number, purpose) >> _BY_11) * _UNIT


@compiled_without_memory
def bell(key: Any, number: Any, purpose: Any) -> Any:
    """A draw with mean 0 and standard deviation 1, bell-shaped within ±3.46: the sum of four uniforms (Irwin–Hall).

    One hash and no transcendental function, which is what a million futures can afford.
    """
    z = bits(key, number, purpose)
    total = (z & _LOW_16) + ((z >> _BY_16) & _LOW_16)
    z >>= np.uint64(32)
    total += (z & _LOW_16) + (z >> _BY_16)
    return (float(total) - _BELL_MEAN) * _BELL


@compiled_without_memory
def _fill(keys: Array, numbers: Array, purpose: Any, out: Array) -> None:
    for row in range(out.shape[0]):
        out[row] = uniform(keys[row], numbers[row], purpose)


@compiled_without_memory
def _fill_keys(seed: Any, numbers: Array, out: Array) -> None:
    for row in range(out.shape[0]):
        out[row] = mixed(seed, numbers[row])


def keys(seed: int, numbers: ArrayLike) -> Array:
    """A key for each number, uint64: of an account, or of a line of a file."""
    numbers = np.ascontiguousarray(numbers).astype(np.uint64)
    out = np.empty(len(numbers), dtype=np.uint64)
    _fill_keys(np.uint64(seed), numbers, out)
    return out


def uniforms(keys: Array, numbers: ArrayLike, purpose: int) -> Array:
    """A draw from [0, 1) for each pair of key and number (one number may stand for all)."""
    at = np.ascontiguousarray(np.broadcast_to(np.asarray(numbers).astype(np.uint64), keys.shape))
    out = np.empty(len(keys), dtype=np.float64)
    _fill(keys, at, np.uint64(purpose), out)
    return out


def normals(keys: Array, numbers: ArrayLike, purpose: int) -> Array:
    """A draw from the standard normal distribution for each pair of key and number."""
    from scipy.special import ndtri

    drawn: Array = ndtri(np.clip(uniforms(keys, numbers, purpose), 1e-12, 1 - 1e-12))
    return drawn


def mixed_all(first: Array, second: ArrayLike, third: ArrayLike) -> Array:
    """A key of three numbers for each row: of one key, and of two numbers of its own."""
    shape = first.shape
    out = np.empty(len(first), dtype=np.uint64)
    two = (np.ascontiguousarray(np.broadcast_to(np.asarray(one).astype(np.int64), shape)) for one in (second, third))
    _mix_all(first, *two, out)
    return out


@compiled_without_memory
def _mix_all(first: Array, second: Array, third: Array, out: Array) -> None:
    for row in range(out.shape[0]):
        out[row] = mixed(mixed(first[row], second[row]), third[row])
