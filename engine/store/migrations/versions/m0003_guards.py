"""Guards: the ways a message may go and the rows nobody may change, enforced by the database itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

EDGES = """
planned>cancelled planned>claimed planned>expired planned>failed planned>held planned>skipped
retrying>cancelled retrying>claimed retrying>expired retrying>failed retrying>held retrying>skipped
claimed>cancelled claimed>expired claimed>failed claimed>held claimed>planned claimed>retrying
claimed>sending claimed>skipped sending>in_doubt sending>rejected sending>retrying sending>sent
in_doubt>retrying in_doubt>sending in_doubt>sent in_doubt>unknown held>cancelled held>expired
held>failed held>planned held>skipped unknown>sent
"""


def upgrade() -> None:
    """Add the guards."""
    dialect = op.get_bind().dialect.name
    for table in ("message_event", "consent_event"):
        for statement in _append_only(table, dialect):
            op.execute(sa.text(statement))
    for statement in _edges_only(dialect):
        op.execute(sa.text(statement))


def _append_only(table: str, dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
    ]


def _edges_only(dialect: str) -> list[str]:
    allowed = ", ".join(f"'{edge}'" for edge in EDGES.split())
    forbidden = f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({allowed})"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER message_edges BEFORE UPDATE OF state ON message WHEN {forbidden} "
            "BEGIN SELECT RAISE(ABORT, 'a message may not go that way'); END"
        ]
    return [
        "CREATE FUNCTION message_edges() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'a message may not go from % to %', OLD.state, NEW.state; END $$",
        f"CREATE TRIGGER message_edges BEFORE UPDATE OF state ON message FOR EACH ROW WHEN ({forbidden}) "
        "EXECUTE FUNCTION message_edges()",
    ]
