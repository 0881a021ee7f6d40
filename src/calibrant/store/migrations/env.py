"""Run by Alembic: upgrades the connection that `migrate_sqlite` hands over, inside its transaction."""

from alembic import context

from calibrant.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
