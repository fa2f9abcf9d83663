"""How alembic runs the migrations: on the connection that it is given, in that connection's transaction."""

from alembic import context

from lakehouse.observability.metadata.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter columns in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
