"""Alembic's entry point: runs migrations on the connection that `hybrid_ml_scheduler.storage.database` hands over."""

from alembic import context

from hybrid_ml_scheduler.storage.schema import Base

connection = context.config.attributes["connection"]
# SQLite cannot alter a table in place: Alembic writes a new one ("batch").
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite", compare_type=True)
with context.begin_transaction():
    context.run_migrations()
