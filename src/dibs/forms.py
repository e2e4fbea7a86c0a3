"""Names in forms of WTForms, and so of Flask-WTF: a field, and a validator for a field of yours.

Both look and promise nothing: somebody else may have the name before the form is saved. The guard
of the column, or the claim, decides then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wtforms import StringField
from wtforms.validators import StopValidation

from dibs.extension.inputs import NameCheck, Owner

if TYPE_CHECKING:
    from dibs.extension import Dibs

USUAL = {"autocapitalize": "none", "autocomplete": "username", "spellcheck": "false"}


class Available:
    """Refuses a name that cannot be had; the last of the field's errors tells of names that can.

    Args:
        dibs: Whose names are meant: those of a `Dibs`, or of `dibs.namespace("projects")`.
        owner: Called for who fills the form in, if it may be somebody who has a name already.
        suggestions: How many other names are told of; they are the field's `suggestions`, too.
        message: Said in place of the reason.
    """

    def __init__(
        self,
        dibs: Dibs,
        *,
        owner: Owner | None = None,
        suggestions: int = 5,
        message: str | None = None,
    ) -> None:
        self._check = NameCheck(dibs, owner, suggestions, message)

    def __call__(self, form: object, field: Any) -> None:
        del form
        said, field.suggestions = self._check.refusals(field.data or "")
        if said:
            field.errors.extend(said)
            raise StopValidation


class UsernameField(StringField):  # type: ignore[misc]  # WTForms has no types
    """A text field for a name: spaces around it, which keyboards put there, are no part of it.

    Args:
        label: What stands beside it.
        validators: Asked before whether the name can be had: with WTForms' own `Optional` the
            field may be empty.
        dibs: See `Available`.
        owner: See `Available`.
        suggestions: See `Available`.
        **usual: What else any field takes.
    """

    suggestions: Sequence[str] = ()

    def __init__(
        self,
        label: str | None = None,
        validators: Sequence[Any] = (),
        *,
        dibs: Dibs,
        owner: Owner | None = None,
        suggestions: int = 5,
        **usual: Any,
    ) -> None:
        available = Available(dibs, owner=owner, suggestions=suggestions)
        usual["render_kw"] = {**USUAL, **(usual.get("render_kw") or {})}
        super().__init__(label, [*validators, available], **usual)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Take what was sent, without spaces at its ends."""
        super().process_formdata([one.strip() for one in valuelist])
