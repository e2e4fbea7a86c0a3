"""The people of a host's table, read by the page: who has which name there.

Every page is a transaction of its own, so that whoever reads a million rows keeps nobody waiting.
What changes meanwhile is read as it was or as it is by then; nobody is read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from dibs.errors import ConfigError, StoreUnavailable
from dibs.store import schema
from dibs.store.database.dialects import dialect_or_base
from dibs.store.database.engine import driver_of, parse_url
from dibs.store.host.columns import guarded_column
from dibs.store.host.owners import joined, kind_of

PAGE = 5000
DUPLICATES = 3
"""How many are named in a sentence."""

Record = tuple[str, object, object]
"""An id as the names table has owners, the name, and what else was asked for: a namespace, or
further columns."""


class People(Protocol):
    """Where people are: a column of a database, or a file.

    Attributes:
        where: It in a sentence.
        kind: What their names are owned by.
    """

    where: str
    kind: str

    def pages(self) -> Iterator[list[Record]]:
        """Everybody, some at a time, in an order that is the same each time."""

    def count(self) -> tuple[int, int]:
        """How many rows there are, and how many of them are left out, having no id."""

    def existing(self, owners: Collection[str]) -> set[str]:
        """Which of these ids belong to a person."""

    def uniques(self) -> list[str] | None:
        """What keeps the names unique there by itself; None if that is not known."""


Keys = Sequence[sa.ColumnElement[Any]]
Maker = Callable[[str], Any]


def reading_engine(url: str) -> sa.Engine:
    """An engine to read somebody's tables by; it makes no file and sets up nothing.

    Raises:
        ConfigError: The address cannot be used, or its driver is not installed.
        SchemaError: The file that it names does not exist.
    """
    try:
        parsed = parse_url(url)
    except ConfigError as error:
        raise ConfigError(str(error).replace("DIBS_DATABASE_URL", "--database")) from None
    schema.require_file(parsed, "give --database the address that the app has")
    with driver_of(parsed):
        return sa.create_engine(parsed, poolclass=NullPool, isolation_level="AUTOCOMMIT")


class _Column:
    """People whose names stand in a column, however that is known.

    Args:
        keys: What says who somebody is.
        makers: Of a part of an id, what makes the key's value.
        wanted: Selects what `_record` reads: the name first, the keys last.
    """

    def __init__(
        self,
        engine: sa.Engine,
        column: sa.Column[Any],
        keys: Keys,
        makers: Sequence[Maker],
        wanted: sa.Select[Any],
        page: int = PAGE,
    ) -> None:
        self._engine, self._column, self._page = engine, column, page
        self._keys, self._makers, self._wanted = keys, makers, wanted

    def pages(self) -> Iterator[list[Record]]:
        """Everybody who has an id, in its order."""
        with self._reading() as session:
            for page in by_pages(
                lambda sql: session.execute(sql).all(), self._wanted, self._keys, self._page
            ):
                records = [self._record(row) for row in page]
                session.rollback()
                session.expunge_all()
                yield records

    def existing(self, owners: Collection[str]) -> set[str]:
        """Which of these ids belong to a person."""
        with self._reading() as session:
            wanted = sa.select(*self._keys).where(self._among(owners))
            return {joined(row) for row in session.execute(wanted)}

    def again(self, connection: sa.Connection, owners: Collection[str]) -> list[Record]:
        """These people as they are now, kept so until the end of this connection's transaction."""
        wanted = self._wanted.where(self._among(owners)).with_for_update(read=True)
        dialect = dialect_or_base(connection.dialect.name)
        # The session is never committed: the transaction is that of the connection.
        session = Session(connection, join_transaction_mode="conditional_savepoint")
        with session, dialect.any_text(connection):
            return [self._record(row) for row in session.execute(wanted)]

    def uniques(self) -> list[str]:
        """What keeps the column unique by itself; see `schema.unique_constraints`."""
        with reading(self._engine) as connection:
            return schema.unique_constraints(connection, self._column)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with reading(self._engine) as connection, Session(connection) as session:
            yield session

    def _among(self, owners: Collection[str]) -> sa.ColumnElement[bool]:
        return among(self._keys, owners, self._makers)

    def _record(self, row: Sequence[Any]) -> Record:
        at = -len(self._keys)
        return joined(row[at:]), row[0], row[1:at]


class TablePeople(_Column):
    """The people of a table that is known by its name alone.

    Args:
        name: Of the table or view; `schema.table` for one that is not in the search path.
        ids: The columns that say who they are. Default: the primary key.

    Attributes:
        kind: What their names are owned by, as for a mapped class of this table.

    Raises:
        ConfigError: There is no such table or column, or nothing says who is who.
        StoreUnavailable: The database cannot answer; in each method too.
    """

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        names: str,
        ids: Sequence[str] = (),
        also: Sequence[str] = (),
        page: int = PAGE,
    ) -> None:
        self.kind, self.where = name, f"{name}.{names}"
        with reading(engine) as connection:
            place, bare, columns = _look_up(connection, name)
            for one in (names, *ids, *also):
                if one not in columns:
                    every = ", ".join(columns)
                    raise ConfigError(f"the table {name} has no column {one}; it has {every}")
            key = sa.inspect(connection).get_pk_constraint(bare, place)["constrained_columns"]
            by = list(ids) or key
            if not by:
                raise ConfigError(
                    f"the table {name} has no primary key: say by --id which column tells who is"
                    f" who; it has {', '.join(columns)}"
                )
            # Without types: values are as the driver has them.
            there = sa.table(bare, *map(sa.column, columns), schema=place)
            keys = [there.c[one] for one in by]
            if set(by) != set(key):
                _refuse_duplicates(connection, bare, by, keys)
        # As the driver takes it that has no type of SQLAlchemy's to help it.
        makers = [maker(columns[one]) for one in by]
        makers = [(lambda part: str(UUID(part))) if one is UUID else one for one in makers]
        # SQLite lets a primary key be NULL, after which no row would be the next one.
        wanted = sa.select(there.c[names], *(there.c[one] for one in also), *keys).where(
            *(key.is_not(None) for key in keys)
        )
        column = sa.Table(bare, sa.MetaData(), sa.Column(names), schema=place).c[names]
        super().__init__(engine, column, keys, makers, wanted, page)
        self._table = there

    def count(self) -> tuple[int, int]:
        """How many rows there are, and how many of them have no id and are not read."""
        unknown = sa.or_(*(key.is_(None) for key in self._keys))
        rows = sa.select(sa.func.count()).select_from(self._table)
        with reading(self._engine) as connection:
            return connection.scalar(rows) or 0, connection.scalar(rows.where(unknown)) or 0


class MappedPeople(_Column):
    """The people of a mapped class.

    Args:
        namespace: Says of an instance in which namespace its name is unique; None where all are
            in one.

    Raises:
        ConfigError: It is no column that can be guarded.
        StoreUnavailable: The database cannot answer; in each method.
    """

    def __init__(
        self, engine: sa.Engine, attribute: Any, namespace: Callable[[object], str] | None = None
    ) -> None:
        self._attribute, self._namespace = attribute, namespace
        self._mapper, column = guarded_column(attribute)
        self.where = f"{attribute.class_.__name__}.{attribute.key}"
        self.kind = kind_of(self._mapper)
        keys = primary_key(self._mapper)
        makers = [maker(key.type) for key in keys]
        first = attribute if namespace is None else self._mapper.class_
        super().__init__(engine, column, keys, makers, sa.select(first, *keys))

    def count(self) -> tuple[int, int]:
        """How many rows there are; all of them have an id."""
        with self._reading() as session:
            rows = sa.select(sa.func.count()).select_from(self._mapper.class_)
            return session.scalar(rows) or 0, 0

    def _record(self, row: Sequence[Any]) -> Record:
        """With their namespace, if that is asked for."""
        if self._namespace is None:
            return joined(row[1:]), row[0], None
        name = getattr(row[0], self._attribute.key)
        return joined(row[1:]), name, self._namespace(row[0])


def _refuse_duplicates(
    connection: sa.Connection, table: str, by: Sequence[str], keys: Keys
) -> None:
    """See that a given id is one person's."""
    twice = sa.and_(sa.func.count() > 1, *(key.is_not(None) for key in keys))
    wanted = sa.select(*keys).group_by(*keys).having(twice).limit(DUPLICATES)
    if found := connection.execute(wanted).all():
        shown = ", ".join(repr(joined(row)) for row in found)
        raise ConfigError(
            f"--id {','.join(by)} does not tell who is who: more than one row of {table} has"
            f" {shown}"
        )


def primary_key(mapper: Mapper[Any]) -> Keys:
    """The attributes that are a mapped class's primary key."""
    return [
        getattr(mapper.class_, mapper.get_property_by_column(one).key) for one in mapper.primary_key
    ]


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection by which text is read whatever it holds, each statement a transaction.

    Raises:
        StoreUnavailable: The database cannot answer; what its driver says is the cause.
    """
    dialect = dialect_or_base(engine.dialect.name)
    try:
        with engine.connect() as connection, dialect.any_text(connection):
            yield connection
    except DBAPIError as error:
        raise StoreUnavailable from error


def by_pages(
    fetch: Callable[[sa.Select[Any]], Sequence[Any]], wanted: sa.Select[Any], keys: Keys, size: int
) -> Iterator[Sequence[Any]]:
    """Rows in the order of their keys, which are the last columns of each.

    Not by OFFSET, which reads all that it leaves out; and no comparison of whole rows, for which
    MariaDB uses no index.
    """
    ordered = wanted.order_by(*keys).limit(size)
    page = fetch(ordered)
    while page:
        yield page
        last = page[-1][-len(keys) :]
        if len(page) < size:
            return
        beyond = [
            sa.and_(*map(_is, keys[:at], last), keys[at] > _bound(last[at], keys[at]))
            for at in range(len(keys))
        ]
        page = fetch(ordered.where(sa.or_(*beyond)))


MAKERS: Mapping[type, Maker] = {int: int, UUID: UUID, bytes: bytes.fromhex}


def maker(kind: TypeEngine[Any]) -> Maker:
    """What makes a value of a column of this type from a part of an id."""
    try:
        return MAKERS.get(kind.python_type, str)
    except NotImplementedError:
        return str


def among(keys: Keys, owners: Collection[str], makers: Sequence[Maker]) -> sa.ColumnElement[bool]:
    """Whether a primary key is one of those that these ids, as `joined` made them, stand for."""
    found: list[tuple[Any, ...]] = []
    for owner in owners:
        parts = [owner] if len(keys) == 1 else [unquote(part) for part in owner.split(":")]
        with suppress(ValueError):  # it can be none
            found.append(tuple(make(part) for make, part in zip(makers, parts, strict=True)))
    if len(keys) == 1:
        return keys[0].in_([_bound(values[0], keys[0]) for values in found])
    return sa.or_(sa.false(), *(sa.and_(*map(_is, keys, values)) for values in found))


def _is(key: sa.ColumnElement[Any], value: object) -> sa.ColumnElement[bool]:
    return key == _bound(value, key)


def _bound(value: object, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A value of this column, to be sent."""
    if isinstance(value, str) and (raw := value.encode("utf-8", "surrogateescape")) != (
        value.encode("utf-8", "replace")
    ):
        return sa.cast(sa.literal(raw, sa.LargeBinary), sa.Text)
    # With the column's own type: PostgreSQL would compare a citext with a varchar as text.
    return sa.literal(value, key.type)


Columns = Mapping[str, TypeEngine[Any]]


def _look_up(connection: sa.Connection, name: str) -> tuple[str | None, str, Columns]:
    """Schema and name of a table or view, and the types of its columns; else a `ConfigError`."""
    inspector = sa.inspect(connection)
    before, _, after = name.rpartition(".")
    for place, bare in ((None, name), (before or None, after)):
        if inspector.has_table(bare, place):
            found = inspector.get_columns(bare, place)
            return place, bare, {one["name"]: one["type"] for one in found}
    near = get_close_matches(name, inspector.get_table_names(), 1)
    raise ConfigError(f"there is no table {name}" + (f"; do you mean {near[0]}?" if near else ""))
