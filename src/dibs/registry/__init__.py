"""Check, claim and release: names -> strategy -> cache -> store."""

from dibs.registry.names import Registry, refusal, won

__all__ = ["Registry", "refusal", "won"]
