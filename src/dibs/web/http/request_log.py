"""What is written of requests: one line each, and one of what whoever guards a service looks for.

Neither has a name, a password, a token or an address as it was sent: a link may be a secret, and
people type passwords where names belong. Hosts see these loggers too, and decide what they write.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Literal

from flask import Flask, Response, request

from dibs.context import acting
from dibs.errors import DibsError
from dibs.observe import COUNTS
from dibs.web.http.current import current, current_route, source

Style = Literal["off", "text", "json"]

requests = logging.getLogger("dibs.request")
security = logging.getLogger("dibs.security")

SUSPICIOUS = frozenset(
    {"login_failed", "wrong_password", "recovery_failed", "rate_limited", "csrf"}
)
"""Codes of errors that are met by who tries to get in."""

NO_ROUTE = "-"


def configure(style: Style) -> None:
    """Have this process write logs to the standard error stream.

    Args:
        style: `text` and `json` write a line a request; `off` writes what goes wrong alone.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], force=True)
    requests.setLevel(logging.WARNING if style == "off" else logging.INFO)


class TextFormatter(logging.Formatter):
    """Time in UTC as RFC 3339 has it, level, logger, id of the request, and what is said."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        record.request_id = acting().request_id or NO_ROUTE
        return super().format(record)


class JsonFormatter(TextFormatter):
    """The same as an object; what a request's line says has a member each."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        shown = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": acting().request_id,
            "message": record.getMessage(),
            **({"trace": self.formatException(record.exc_info)} if record.exc_info else {}),
            **getattr(record, "members", {}),
        }
        return json.dumps(shown, ensure_ascii=False)


def init_request_log(app: Flask) -> None:
    """Write a line of each request that Flask answers for this app."""

    def begin() -> None:
        current().began = time.monotonic()

    def end(response: Response) -> Response:
        said = current_route()
        if said is not None and said.limit is None:
            return response  # an orchestrator's, every few seconds
        rule = request.url_rule
        route = rule.rule if rule else NO_ROUTE
        answered(request.method, route, response.status_code, current().began, source())
        return response

    app.before_request(begin)
    app.after_request(end)


def answered(method: str, route: str, status: int, began: float, whence: str) -> None:
    """Count a request, and write its line.

    Args:
        method: Of the request.
        route: The address that it was routed by, with its variables' names.
        status: Of the answer.
        began: When it began, as `time.monotonic` has it.
        whence: Its source, as limits count it.
    """
    if COUNTS.is_read:
        # A method that is no route's may be any word.
        asked = method if route != NO_ROUTE else NO_ROUTE
        COUNTS.measure(("request", asked, route, status), time.monotonic() - began)
    if not requests.isEnabledFor(logging.INFO):
        return
    ms = round(1000 * (time.monotonic() - began), 1)
    members = {"method": method, "route": route, "status": status, "ms": ms, "source": whence}
    said = (method, route, status, ms, whence)
    requests.info("%s %s %d %.1fms source=%s", *said, extra={"members": members})


def suspect(error: DibsError) -> None:
    """Write down what may be somebody who tries to get in."""
    if error.code not in SUSPICIOUS:
        return
    members = {"code": error.code, "source": source()}
    security.warning("%s source=%s", *members.values(), extra={"members": members})
