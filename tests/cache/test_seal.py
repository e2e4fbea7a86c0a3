"""A value that comes out of Redis is ours and of that name, or it is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.cache.redis.taken import Forged, Sealer
from tests.cache.helpers import SPACE, an_entry

SEALER = Sealer("secret")
PLACE = SEALER.place(SPACE, "ada")
VALUE = SEALER.write(PLACE, an_entry(version=7, state="held", canonical="Ada"))


def test_what_was_written_is_read() -> None:
    entry = SEALER.read(PLACE, SPACE, "ada", VALUE)
    assert entry == an_entry(version=7, state="held", canonical="Ada")
    assert SEALER.read(PLACE, SPACE, "ada", SEALER.write_ask(PLACE, 8)) is None


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=64))
def test_every_key_has_a_place_of_the_same_length(key: str, canonical: str) -> None:
    key = key.encode(errors="ignore").decode()
    canonical = canonical.encode(errors="ignore").decode()
    place = SEALER.place(SPACE, key)
    assert len(place) == len(PLACE)
    entry = an_entry(key, canonical=canonical)
    assert SEALER.read(place, SPACE, key, SEALER.write(place, entry)) == entry


def test_no_two_names_share_a_place() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a:b", "c"), ("a", "b:c")]
    assert len({SEALER.place(*pair) for pair in pairs}) == len(pairs)


def test_a_place_tells_nothing_without_the_secret() -> None:
    assert Sealer("another").place(SPACE, "ada") != PLACE
    assert "ada" not in PLACE


@given(st.integers(0, len(VALUE) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, by: int) -> None:
    changed = VALUE[:at] + bytes([VALUE[at] ^ by]) + VALUE[at + 1 :]
    with pytest.raises(Forged):
        SEALER.read(PLACE, SPACE, "ada", changed)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(value: bytes) -> None:
    with pytest.raises(Forged):
        SEALER.read(PLACE, SPACE, "ada", value)


@pytest.mark.parametrize("length", range(len(VALUE)))
def test_what_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(Forged):
        SEALER.read(PLACE, SPACE, "ada", VALUE[:length])


def test_what_belongs_to_somebody_else_is_refused() -> None:
    """Another name's, another namespace's, another service's; and a name in the wrong place."""
    other = SEALER.place(SPACE, "bob")
    wrong = [
        SEALER.write(other, an_entry("bob")),
        SEALER.write(PLACE, an_entry("bob")),
        SEALER.write(SEALER.place("other", "ada"), an_entry()),
        Sealer("another").write(PLACE, an_entry()),
    ]
    for value in wrong:
        with pytest.raises(Forged):
            SEALER.read(PLACE, SPACE, "ada", value)
