"""Judges a recorded history: did every name have one owner at most, and were all told the truth?

Needs no database and no Flask, so that it can be used with any app: see docs/checker.md.
"""

from dibs.checker.asking import Answer, Holding, Names, Renaming
from dibs.checker.driver import drive
from dibs.checker.operation import BadHistory, Operation, parse
from dibs.checker.recorder import Note, Recorder, load
from dibs.checker.rules import Violation
from dibs.checker.steps import Allowance
from dibs.checker.verdict import Verdict, judge

__all__ = [
    "Allowance",
    "Answer",
    "BadHistory",
    "Holding",
    "Names",
    "Note",
    "Operation",
    "Recorder",
    "Renaming",
    "Verdict",
    "Violation",
    "drive",
    "judge",
    "load",
    "parse",
]
