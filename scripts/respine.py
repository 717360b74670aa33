"""Rewrite the first schema version from the models. Only until the first release freezes it.

python scripts/respine.py POSTGRES_URL_OF_AN_EMPTY_SCRATCH_SERVER
"""

import re
import sys
import uuid
from pathlib import Path

from alembic import command

from earlybird import schema
from earlybird.infra.db import connect

VERSIONS = Path(schema.__file__).parent / "versions"

HEAD = '''"""The spine: every table, with the functions and triggers that guard them.

Why: plan, fact and money each point at the row before, and the database itself refuses what must not be.
"""

from pathlib import Path

import procrastinate.schema
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "guards.sql"

NEW_ID_18 = "CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT uuidv7()'"
NEW_ID_15 = """
CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$
"""


def execute_script(text: str) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(text)


'''

FIRST = """    version = op.get_bind().dialect.server_version_info
    op.execute(NEW_ID_18 if version and version[0] >= 18 else NEW_ID_15)
    execute_script(procrastinate.schema.SchemaManager.get_schema())
"""

LAST = """    op.create_foreign_key("users_customer_id_fkey", "users", "customers", ["customer_id"], ["id"])
    execute_script(GUARDS.read_text(encoding="utf-8"))
"""

DOWN = """def downgrade() -> None:
    execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    op.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)")
    op.execute("INSERT INTO alembic_version VALUES ('0001')")
"""


def main(url: str) -> None:
    """Autogenerate against an empty scratch database, then add what autogenerate cannot see."""
    scratch = "respine_" + uuid.uuid4().hex[:8]
    server = connect(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {scratch}")
    (VERSIONS / "0001_the_spine.py").unlink(missing_ok=True)
    engine = connect(server.url.set(database=scratch).render_as_string(hide_password=False))
    try:
        command.revision(schema.config(engine), message="the spine", autogenerate=True, rev_id="0001")
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {scratch}")
    made = next(VERSIONS.glob("0001*.py"))
    text = made.read_text(encoding="utf-8")
    body = text[text.index("def upgrade()") : text.index("def downgrade()")]
    body = re.sub(r"    # ###.*\n", "", body)
    body = re.sub(r"    sa\.ForeignKeyConstraint\(\['customer_id'\].*use_alter=True\),\n", "", body)
    start, rest = body.split("\n", 1)
    made.write_text(HEAD + start + "\n" + FIRST + rest.rstrip() + "\n" + LAST + "\n\n" + DOWN, encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main(sys.argv[1])
