"""Names in schemas of marshmallow, and so of flask-smorest: a field, and a validator for one.

Both look and promise nothing: somebody else may have the name before it is stored. The guard of
the column, or the claim, decides then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError, fields

from dibs.extension.inputs import NameCheck, Owner

if TYPE_CHECKING:
    from dibs.extension import Dibs


class Available:
    """Refuses a name that cannot be had; the last of the messages tells of names that can.

    Args:
        dibs: Whose names are meant: those of a `Dibs`, or of `dibs.namespace("projects")`.
        owner: Called for whose name it is to be, if it may be somebody who has one already.
        suggestions: How many other names are told of.
    """

    def __init__(self, dibs: Dibs, *, owner: Owner | None = None, suggestions: int = 5) -> None:
        self._check = NameCheck(dibs, owner, suggestions)

    def __call__(self, name: str) -> None:
        said, _ = self._check.refusals(name)
        if said:
            raise ValidationError(said)


class Username(fields.String):
    """A text for a name: spaces around it, which keyboards put there, are no part of it.

    Args:
        dibs: See `Available`.
        owner: See `Available`.
        suggestions: See `Available`.
        **usual: What else any field takes; validators among it are asked as well.
    """

    def __init__(
        self, dibs: Dibs, *, owner: Owner | None = None, suggestions: int = 5, **usual: Any
    ) -> None:
        super().__init__(**usual)
        self.validators = [
            *self.validators,
            Available(dibs, owner=owner, suggestions=suggestions),
        ]

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return str(super()._deserialize(value, *args, **kwargs)).strip()
