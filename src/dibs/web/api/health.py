"""`/healthz` and `/readyz`, for whoever runs the service."""

from __future__ import annotations

from dibs.web.api.schemas import Health
from dibs.web.http.blueprint import Blueprint, deadline, parts
from dibs.web.http.route import Route

blueprint = Blueprint(
    "dibs_health", __name__, title="Health", description="For operators of the service."
)


@blueprint.route("/healthz", Route(admits="anybody", limit=None))
@blueprint.response(200, Health)
def healthy() -> dict[str, str]:
    """The process is alive. The database is not checked: a restart would not mend it."""
    return {"status": "ok"}


@blueprint.route("/readyz", Route(admits="anybody", limit=None))
@blueprint.response(200, Health)
@blueprint.refuses(503, "The database does not answer, takes no writes, or is not set up.")
def ready() -> dict[str, str]:
    """The database is in order and can be written to; otherwise a 503."""
    parts().store.verify(deadline=deadline())
    parts().store.verify_writable(deadline=deadline())
    return {"status": "ready"}
