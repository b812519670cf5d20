"""A word that a thumb got slightly wrong."""

from __future__ import annotations


def one_slip(typed: str, word: str) -> bool:
    """Whether `typed` is `word`, or one letter more, less, other or swapped with its neighbour away from it.

    The distance of F. J. Damerau, "A technique for computer detection and correction of spelling errors", 1964
    (https://doi.org/10.1145/363958.363994), of at most 1.
    """
    if typed == word:
        return True
    if abs(len(typed) - len(word)) > 1:
        return False
    same = 0
    while same < min(len(typed), len(word)) and typed[same] == word[same]:
        same += 1
    one, other = typed[same:], word[same:]
    if len(one) == len(other):
        return one[1:] == other[1:] or (one[:2] == other[1::-1] and one[2:] == other[2:])
    return one[1:] == other if len(one) > len(other) else one == other[1:]
