"""What may refuse a name without asking the database, and never grant one.

The contract: only the constraint grants. A cache may say "taken", of a row that was
committed and that it read no longer ago than its contract allows; what it does not know,
it does not know, and the database is asked. A filter may say "certainly free" to a check,
and never to a claim.
"""

from dibs.cache.single_flight import Flights
from dibs.cache.taken import Entry, MemoryCache, NameFilter, TakenCache, TakenNames

__all__ = ["Entry", "Flights", "MemoryCache", "NameFilter", "TakenCache", "TakenNames"]
