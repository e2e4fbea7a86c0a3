"""The fixtures of the tests: the same databases, started the same way."""

from tests.conftest import backend, close_backends, store, url

__all__ = ["backend", "close_backends", "store", "url"]
