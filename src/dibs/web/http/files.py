"""Files of ours as answers: compressed for who takes that, and kept by browsers."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache

from flask import Response, current_app, request


def answered(data: bytes, kind: str) -> Response:
    """A file, with what tells this version from others; the caller says how long it is kept."""
    packed = request.accept_encodings.quality("gzip") > 0
    body = _packed(data) if packed else data
    response: Response = current_app.response_class(body, mimetype=kind)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.set_etag(version(data) + ("-gzip" if packed else ""))
    return response


@cache
def _packed(data: bytes) -> bytes:
    """As small as it gets, since it is done once a process."""
    return gzip.compress(data, mtime=0)


@cache
def version(data: bytes) -> str:
    """What changes with the file."""
    return hashlib.sha256(data).hexdigest()[:12]
