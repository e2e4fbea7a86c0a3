"""Alembic's environment; the connection comes from `dibs.store.schema`."""

from alembic import context

from dibs.store.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
