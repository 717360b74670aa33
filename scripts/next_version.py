"""Write the newest schema version, which no release has frozen yet, from the models: python scripts/next_version.py

It starts a PostgreSQL of its own, brings it to the version before, and lets Alembic say what is missing.
"""

import re
import tempfile
from pathlib import Path

import psycopg
from alembic import command

from earlybird import schema
from earlybird.infra.db import connect
from earlybird.infra.embedded import Embedded

VERSIONS = Path(schema.__file__).parent / "versions"
BEFORE, NUMBER, NAME = "0003", "0004", "reversible_steps"

HEAD = f'''"""Reversible steps: what a step keeps to take itself back, decisions by hand, backups, stopped writing.

Why: live data is changed without fear only when every change can be undone without loss.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{NUMBER}"
down_revision = "{BEFORE}"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "{NAME}.sql"
UNGUARD = Path(__file__).parent.parent / "{NAME}_down.sql"


def execute_script(path: Path) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(path.read_text(encoding="utf-8"))


'''


def main() -> None:
    """Autogenerate against the version before, then add what autogenerate cannot see."""
    path = VERSIONS / f"{NUMBER}_{NAME}.py"
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        embedded = Embedded(Path(folder) / "pg", durable=False)
        with embedded.running():
            with psycopg.connect(embedded.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("CREATE DATABASE next_version")
            engine = connect(embedded.url("next_version"))
            command.upgrade(schema.config(engine), BEFORE)
            command.revision(schema.config(engine), message=NAME, autogenerate=True, rev_id=NUMBER)
            engine.dispose()
        embedded.destroy()
    text = path.read_text(encoding="utf-8")
    body = re.sub(r"    # ###.*\n", "", text[text.index("def upgrade()") :])
    up, down = body.split("\n\ndef downgrade() -> None:\n")
    path.write_text(
        HEAD + up.rstrip() + "\n    execute_script(GUARDS)\n\n\n"
        "def downgrade() -> None:\n    execute_script(UNGUARD)\n" + down.rstrip() + "\n",
        encoding="utf-8",
    )
    print(path)


if __name__ == "__main__":
    main()
