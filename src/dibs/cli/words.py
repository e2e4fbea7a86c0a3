"""What the command line says of an error."""

from __future__ import annotations

from dibs.errors import DibsError, StoreUnavailable
from dibs.observe.logs import root_of


def explain(error: DibsError) -> str:
    """The error; of a database that cannot answer, what its driver says of that.

    Only who runs the service reads this: a driver names hosts and ports.
    """
    cause = root_of(error)
    if not isinstance(error, StoreUnavailable) or cause is error:
        return str(error)
    return f"The database cannot answer: {' '.join(str(cause).split())}"
