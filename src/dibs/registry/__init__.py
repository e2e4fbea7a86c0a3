"""Check, claim and release: names -> strategy -> cache -> store."""

from dibs.registry.claims import Registry
from dibs.registry.refusals import refusal, settled

__all__ = ["Registry", "refusal", "settled"]
