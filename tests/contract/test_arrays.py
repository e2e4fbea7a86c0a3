"""Lists of texts as PostgreSQL reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dibs.store import NameStore
from dibs.store.database.rows import array
from tests.backends import POSTGRESQL
from tests.fault.helpers import BUDGET

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD = ["", "NULL", "null", None, " a ", "{", "}", ",", '"', "\\", '\\"', "\n\t", "王", "😀"]


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
@given(values=st.lists(st.none() | TEXTS, max_size=8))
@example(values=ODD)
def test_each_text_arrives(store: NameStore, values: list[str | None]) -> None:
    """As it is, beside others that are none; and none at all is an empty list."""
    sql = "SELECT one FROM unnest(CAST(:them AS text[])) AS t (one)"
    rows = store.transactions.rows(sql, {"them": array(values)}, deadline=BUDGET.start())
    assert [row[0] for row in rows] == values


def test_numbers() -> None:
    assert array([1, None]) == '{"1",NULL}'
