"""Check, claim and release: names -> strategy -> cache -> store."""

from dibs.registry.names import Registry
from dibs.registry.refusals import refusal, won

__all__ = ["Registry", "refusal", "won"]
