"""What every error has, and what every broken rule says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


class DibsError(Exception):
    """Something in dibs could not be done.

    Attributes:
        code: Stable, machine-readable, the same in every language.
        message: The English sentence; may hold `%(name)s` fields.
        params: What fills the fields of `message`.
    """

    code: ClassVar[str] = "error"
    message: ClassVar[str] = "Something went wrong."

    def __init__(self, detail: str = "", **params: object) -> None:
        self.params: Mapping[str, object] = params
        self.detail = detail
        super().__init__(detail or self.message % params)


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that a name breaks, and how to mend it.

    Attributes:
        code: Stable code of the rule, for instance `too_short`.
        message: English sentence with `%(name)s` fields.
        params: What fills the fields.
    """

    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params
