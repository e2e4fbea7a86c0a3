"""The filter itself: what it forgets (nothing), how often it errs, and how it is written down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.cache.filter.bloom import BloomFilter, Damaged, FilterKey, capacity_for
from dibs.cache.filter.follower import FilterFile
from tests.cache.filters import SPACE, recipes

SECRET = "of the database"
MANY = 100_000


def known(*keys: str, capacity: int = MANY, recipe: FilterKey | None = None) -> BloomFilter:
    filter_ = BloomFilter(recipe or recipes(SECRET), capacity=capacity, as_of=7)
    filter_.add(keys)
    return filter_


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_nothing_is_forgotten(keys: list[str]) -> None:
    """Whatever was added is there: a filter errs to one side alone."""
    filter_ = known(*keys, capacity=10)
    assert all(key in filter_ for key in keys)


def test_a_name_is_counted_once() -> None:
    filter_ = known("ada", "bob")
    filter_.add(["ada", "eve"])
    assert filter_.count == 3


def test_one_name_in_a_hundred_is_taken_for_another_when_it_is_full() -> None:
    filter_ = known(*(f"n{i}" for i in range(MANY)))
    wrong = sum(f"other{i}" in filter_ for i in range(MANY)) / MANY
    assert 0.005 < wrong < 0.0125
    assert 8 * filter_.size / MANY < 10


def test_a_new_one_takes_16_bits_a_name_and_errs_less() -> None:
    """It has room for half as many names again."""
    filter_ = known(*(f"n{i}" for i in range(MANY)), capacity=capacity_for(MANY))
    wrong = sum(f"other{i}" in filter_ for i in range(MANY)) / MANY
    assert wrong < 0.003
    assert 8 * filter_.size / MANY <= 16


def test_a_key_has_its_place_in_every_process() -> None:
    """Python's own hash is another one in each."""
    program = (
        "from dibs.cache.filter.bloom import FilterKey\n"
        f"print(FilterKey({SECRET!r}, namespace='default', rules=3).place('ada'))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert int(ran.stdout) == FilterKey(SECRET, namespace="default", rules=3).place("ada")


# --- the file ---------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path: Path) -> FilterFile:
    return FilterFile(tmp_path / "home", SPACE)


def test_what_is_written_is_read(shelf: FilterFile) -> None:
    shelf.write(known("ada", "bob"))
    found = FilterFile(shelf.path.parent, SPACE).read_new(recipes(SECRET))
    assert found is not None
    assert (found.as_of, found.count, found.capacity) == (7, 2, MANY)
    assert all(key in found for key in ("ada", "bob"))
    assert "eve" not in found


def test_it_is_for_nobody_else_to_read(shelf: FilterFile) -> None:
    """Who may read it could ask it about names."""
    shelf.write(known("ada"))
    assert [oct(path.stat().st_mode & 0o777) for path in (shelf.path, shelf.path.parent)] == [
        "0o600",
        "0o700",
    ]


def test_it_is_read_once_until_there_is_another(shelf: FilterFile) -> None:
    """A server looks twice a second."""
    other = FilterFile(shelf.path.parent, SPACE)
    assert other.read_new(recipes(SECRET)) is None
    shelf.write(known("ada"))
    assert other.read_new(recipes(SECRET)) is not None
    assert other.read_new(recipes(SECRET)) is None
    shelf.write(known("ada", "bob"))
    assert other.read_new(recipes(SECRET)) is not None


OTHERS = {
    "database": FilterKey("another", namespace=SPACE, rules=1),
    "namespace": FilterKey(SECRET, namespace="another", rules=1),
    "rules": FilterKey(SECRET, namespace=SPACE, rules=2),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_filter_of_other_names_is_not_used(shelf: FilterFile, other: str) -> None:
    ours = FilterKey(SECRET, namespace=SPACE, rules=1)
    shelf.write(known("ada", recipe=OTHERS[other]))
    assert FilterFile(shelf.path.parent, SPACE).read_new(ours) is None


@pytest.mark.parametrize("at", ["first", "seal", "head", "bits", "last"])
def test_a_changed_byte_is_noticed(at: str) -> None:
    """A bit that is lost would make a taken name look free."""
    data = bytearray(b"".join(known("ada").write()))
    places = {"first": 0, "seal": 20, "head": 80, "bits": len(data) // 2, "last": len(data) - 1}
    data[places[at]] ^= 1
    with pytest.raises(Damaged):
        BloomFilter.read(bytes(data), recipes(SECRET))


@pytest.mark.parametrize("length", [0, 5, 14, 50, 78, 100, -1])
def test_a_file_cut_short_is_noticed(shelf: FilterFile, length: int) -> None:
    """And does no harm."""
    data = b"".join(known("ada").write())
    shelf.path.parent.mkdir()
    shelf.path.write_bytes(data[:length])
    assert shelf.read_new(recipes(SECRET)) is None


def test_one_at_a_time_has_the_lock(shelf: FilterFile) -> None:
    other = FilterFile(shelf.path.parent, SPACE)
    unlock = shelf.lock()
    assert unlock is not None
    assert other.lock() is None
    unlock()
    again = other.lock()
    assert again is not None
    again()
