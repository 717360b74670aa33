"""Databases for tests that commit: made from a template, swept clean and given out again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from earlybird.infra.embedded import Embedded

TEMPLATE = "template_earlybird"
HEAVY = 20_000
"""A database that held more rows is dropped: the space they leave would slow who comes next."""

SHAPE = """
SELECT (SELECT jsonb_agg((relname, relkind, reloptions, relrowsecurity, relacl) ORDER BY relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace),
       (SELECT jsonb_agg((attrelid::regclass, attname, atttypid, attnotnull, attisdropped) ORDER BY attrelid, attnum)
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'),
       (SELECT jsonb_agg((tgrelid::regclass, tgname, tgenabled) ORDER BY tgrelid, tgname) FROM pg_trigger),
       (SELECT jsonb_agg((conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)) ORDER BY conrelid,
        conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
       (SELECT jsonb_agg((proname, proargtypes, md5(prosrc)) ORDER BY proname, proargtypes) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_default_acl),
       (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
        WHERE datname = current_database())"""
"""Everything a test might have altered that sweeping rows does not put back."""


class Scratch:
    """The databases of one worker process: `lend` gives out an empty migrated one."""

    def __init__(self, server: Embedded) -> None:
        """Nothing is made before it is asked for."""
        self.server = server
        self.idle: list[str] = []
        self.shape: object = None
        self.seeds: dict[str, bytes] = {}
        self.tables: list[str] = []
        self.sequences: list[str] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the URL of a database nobody else has; take it back swept, or drop it."""
        name = self.idle.pop() if self.idle else self.make()
        try:
            yield self.server.url(name)
        finally:
            if self.swept(name):
                self.idle.append(name)
            else:
                self.admin(f"DROP DATABASE {name} WITH (FORCE)")

    def make(self) -> str:
        """Copy the template; the first copy says what a clean database looks like."""
        name = "t_" + uuid.uuid4().hex[:12]
        self.admin(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        if self.shape is None:
            with self.connected(name) as connection:
                self.shape = connection.execute(SHAPE).fetchone()
                found = connection.execute(
                    "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                    "AND relkind IN ('r', 'S') ORDER BY 1"
                ).fetchall()
                self.tables = [table for table, kind in found if kind == "r"]
                self.sequences = [sequence for sequence, kind in found if kind == "S"]
                for table in self.full(connection):
                    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as out:
                        self.seeds[table] = b"".join(bytes(part) for part in out)
        return name

    def swept(self, name: str) -> bool:
        """Take out what a test left; say whether the database is as it was made."""
        try:
            with self.connected(name) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                for (table,) in connection.execute(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                    "AND relkind = 'r' AND NOT relname = ANY(%s)",
                    [self.tables],
                ).fetchall():
                    connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
                if connection.execute(SHAPE).fetchone() != self.shape:
                    return False
                connection.execute("SET session_replication_role = replica")
                with connection.transaction():
                    return self.sweep(connection)
        except psycopg.Error:
            return False

    def sweep(self, connection: psycopg.Connection) -> bool:
        """Delete every row, put the seeds back; say whether it was worth it."""
        gone = 0
        for table in self.full(connection):
            gone += connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table))).rowcount
        for table, seed in self.seeds.items():
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as into:
                into.write(seed)
        for sequence in self.sequences:
            connection.execute("SELECT setval(%s::regclass, 1, false)", [sequence])
        return gone < HEAVY

    def full(self, connection: psycopg.Connection) -> list[str]:
        """Return the tables that hold rows."""
        each = [
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(table), sql.Identifier(table))
            for table in self.tables
        ]
        return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(each)).fetchall()]

    def connected(self, name: str) -> psycopg.Connection:
        """Open a connection of the server's owner."""
        return psycopg.connect(self.server.url(name).replace("+psycopg", ""), autocommit=True)

    def admin(self, statement: str) -> None:
        """Run one statement on the maintenance database."""
        with self.connected("postgres") as connection:
            connection.execute(statement.encode())
