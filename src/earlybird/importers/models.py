"""What was read from another system: every document, verbatim, with what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Table, one_of, ref


class ImportRun(Table):
    """One reading of a dump: resumable by `digest`, finished when `finished_at` stands."""

    __tablename__ = "import_runs"

    id: Mapped[Key]
    source: Mapped[str]
    folder: Mapped[str]
    digest: Mapped[str]
    phase: Mapped[str]
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class LegacyDocument(Table):
    """One document of a dump, verbatim, what its fields say (`facts`), and its verdict.

    `id` becomes the id of the row it turns into (customer, order, payment). `ident` tells one
    document from another: its `_id`, else its key; `digest` is of the content without `_id`. `line` counts
    the documents of the file. `former`: the facts before `changed_run_id` brought a later version.
    """

    __tablename__ = "legacy_documents"
    __table_args__ = (
        UniqueConstraint("source", "collection", "ident"),
        one_of("verdict", ("imported", "quarantined", "duplicate")),
        Index(None, "source", "collection", "key"),
        Index("legacy_documents_quarantine_idx", "source", "collection", postgresql_where="verdict = 'quarantined'"),
    )

    id: Mapped[Key]
    source: Mapped[str]
    collection: Mapped[str]
    ident: Mapped[str]
    key: Mapped[str | None]
    oid: Mapped[str | None]
    line: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    verdict: Mapped[str]
    reason: Mapped[str | None]
    problems: Mapped[list[Any] | None] = mapped_column(JSONB)
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    former: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    body: Mapped[str | None]
    raw: Mapped[bytes | None]
    run_id: Mapped[UUID]
    changed_run_id: Mapped[UUID | None]


class LegacyAccount(Table):
    """What the dump proves about whose login an account is; ambiguous ones keep their candidates."""

    __tablename__ = "legacy_accounts"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    account: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[UUID] = ref("users.id")
    customer_id: Mapped[UUID | None] = ref("customers.id")
    verdict: Mapped[str]
    candidates: Mapped[list[Any] | None] = mapped_column(JSONB)


class LegacyParty(Table):
    """Whom legacy rows speak of: a customer, an account without a household, or a deleted customer.

    `party` is the customer's legacy key, or `user:` and the account's.
    """

    __tablename__ = "legacy_parties"
    __table_args__ = (one_of("kind", ("customer", "account", "deleted")),)

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    party: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str]
    customer_id: Mapped[UUID] = ref("customers.id", unique=True, index=False)


class ImportRejection(Table):
    """A row of a table that did not come in, as it stood, with its line, field and rule.

    `refused` rows are to be mended and brought again; `kept` ones say nothing this business can hold
    (`amount_minor` is what they are worth). A row that came in later keeps its entry, resolved.
    """

    __tablename__ = "import_rejections"
    __table_args__ = (UniqueConstraint("run_id", "line"), one_of("verdict", ("refused", "kept")))

    id: Mapped[Key]
    run_id: Mapped[UUID] = ref("import_runs.id", index=False)
    line: Mapped[int] = mapped_column(Integer)
    verdict: Mapped[str]
    field: Mapped[str | None]
    rule: Mapped[str]
    cells: Mapped[list[Any]] = mapped_column(JSONB)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    rejected_at: Mapped[Instant]
    resolved_at: Mapped[datetime | None]


class WorklistChoice(Table):
    """What a person decided about an item of the work list; evidence that the steps and later dumps leave alone.

    `subject_id` is the row decided about. `before` and `after` hold what the decision wrote, to take it back exactly;
    one that was taken back says when. A subject has one standing choice.
    """

    __tablename__ = "worklist_choices"
    __table_args__ = (
        Index("worklist_choices_standing_key", "subject_id", unique=True, postgresql_where="undone_at IS NULL"),
    )

    id: Mapped[Key]
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    choice: Mapped[str]
    target_id: Mapped[UUID | None]
    reason: Mapped[str]
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    after: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    made_at: Mapped[Instant]
    made_by: Mapped[str]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    undone_reason: Mapped[str | None]
