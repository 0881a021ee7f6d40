"""Run by Alembic: upgrades the connection that `postgres_migrations.migrate` hands over, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
