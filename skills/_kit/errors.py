"""Errors of the skills. Each has a `kind` from a closed set; the daemon has an ordered list of repairs for each kind.

SkillError
├── InputError       bad_input: the arguments have no meaning; trying again changes nothing
├── NoDataError      no_data: too few rows, labels or classes; wait or widen the range
├── BundleError      bad_bundle: a bundle is missing, altered or can't be loaded
├── LakeReadError    lake: the lake could not be read or written
├── DivergedError    diverged: training gave no usable model; lower the learning rate or look at the data
├── ParityError      parity_fail: the graph and the booster disagree; the model must not be published
├── MemoryLimitError out_of_memory: use fewer rows or a larger machine
└── SkillCrashError  crashed: anything that was not foreseen
"""

from __future__ import annotations


class SkillError(Exception):
    """Base of all errors that leave a skill."""

    kind = "failed"


class InputError(SkillError):
    """The arguments have no meaning."""

    kind = "bad_input"


class NoDataError(SkillError):
    """There are too few rows, known labels or classes to answer."""

    kind = "no_data"


class BundleError(SkillError):
    """A bundle is missing, altered or can't be loaded."""

    kind = "bad_bundle"


class LakeReadError(SkillError):
    """The lake could not be read or written."""

    kind = "lake"


class DivergedError(SkillError):
    """Training gave no usable model."""

    kind = "diverged"


class ParityError(SkillError):
    """The exported graph and the booster disagree."""

    kind = "parity_fail"


class MemoryLimitError(SkillError):
    """The machine has too little memory for the job."""

    kind = "out_of_memory"


class SkillCrashError(SkillError):
    """Something that was not foreseen; the message names the exception."""

    kind = "crashed"
