"""The record: the spool that keeps what happened until the database has it, the recorder, the database.

A worker loads `frame`, `segments`, `spool`, `status`, `payload`, `base`, `tables` and `sqlite_reader`; the rest,
with SQLAlchemy and Alembic, belongs to the recorder's process. Knows `types`, never engine or server.
"""
