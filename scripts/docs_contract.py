"""Write the tables of docs/contract.md from the models: python scripts/docs_contract.py"""

from pathlib import Path

from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

from earlybird import wiring
from earlybird.infra.db import Table as Base

PAGE = Path(__file__).parent.parent / "docs" / "contract.md"
START, END = "<!-- tables: written by scripts/docs_contract.py -->", "<!-- end of tables -->"


def kind(column: Column) -> str:
    """Return the PostgreSQL type of a column."""
    return column.type.compile(dialect=postgresql.dialect()).lower().replace("timestamp with time zone", "timestamptz")


def default(column: Column) -> str:
    """Return what the database writes when the caller writes nothing."""
    given = column.server_default
    if given is None:
        return ""
    arg = getattr(given, "arg", given)
    return f"`{getattr(arg, 'text', arg)}`"


def reference(column: Column) -> str:
    """Return the table and column a key points at."""
    return ", ".join(f"`{key.target_fullname}`" for key in sorted(column.foreign_keys, key=lambda k: k.target_fullname))


def unique(table: Table) -> list[str]:
    """Return the sets of columns that occur once, with their condition."""
    found = {
        ", ".join(c.name for c in rule.columns) for rule in table.constraints if isinstance(rule, UniqueConstraint)
    }
    for index in table.indexes:
        if index.unique:
            where = index.dialect_options["postgresql"].get("where")
            words = ", ".join(str(part.compile(dialect=postgresql.dialect())) for part in index.expressions)
            found.add(words.replace(f"{table.name}.", "") + (f" where {where}" if where is not None else ""))
    return sorted(found)


def section(model: type[Base]) -> str:
    """Return what a table promises."""
    table = model.__table__
    lines = [f"#### `{table.name}`", "", " ".join((model.__doc__ or "").split()), ""]
    lines += ["| column | type | null | default | points at |", "|---|---|---|---|---|"]
    lines += [
        f"| `{c.name}` | {kind(c)} | {'null' if c.nullable else ''} | {default(c)} | {reference(c)} |"
        for c in table.columns
    ]
    key = ", ".join(c.name for c in table.primary_key.columns)
    lines += ["", f"Key: {key}." + "".join(f" Unique: {words}." for words in unique(table)), ""]
    return "\n".join(lines)


def tables() -> str:
    """Return every table, slice by slice from the bottom up."""
    models = {mapper.class_.__module__: [] for mapper in Base.registry.mappers}
    for mapper in Base.registry.mappers:
        models[mapper.class_.__module__].append(mapper.class_)
    parts = []
    for room in wiring.TABLES:
        parts.append(f"### {room.__name__.split('.')[1]}\n")
        parts += [section(model) for model in sorted(models[room.__name__], key=lambda m: m.__tablename__)]
    return "\n".join(parts)


def text() -> str:
    """Return the page with its tables as the models have them."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    return f"{before}{START}\n\n{tables()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
