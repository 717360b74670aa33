"""Tables over HTTP: brought in and written by who may do so for the whole business."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from earlybird.identity import entrance
from earlybird.identity.access import allow
from earlybird.importers import tables
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api", tags=["tables"], responses=PROBLEMS)

KindName = Literal["customers", "products", "subscriptions", "orders", "payments"]
Business = Annotated[
    str | None,
    Query(max_length=200, pattern=r"^[^\x00]*$", description="Name of the business, where there are several."),
]
CSV = "text/csv"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES = {
    CSV: {"schema": {"type": "string", "minLength": 1}, "example": "name,phone\r\nMeena,9876543210\r\n"},
    WORKBOOK: {"schema": {"type": "string", "format": "binary", "minLength": 1}},
}


class RejectionOut(BaseModel):
    """A row that did not come in: its line in the file, the column and the rule it breaks."""

    line: int
    field: str | None
    rule: str


class ImportOut(BaseModel):
    """What became of a table."""

    model_config = ConfigDict(extra="ignore")

    kind: str
    business: str
    rows: int
    created: int
    changed: int
    same: int
    refused: int
    notes: list[str]
    rejections: list[RejectionOut]


async def first_hash(request: Request) -> str | None:
    """Return the hash of the configured first password, made before the transaction; None where they are invited."""
    return await entrance.first_hash(request)


@router.post(
    "/imports/{kind}",
    openapi_extra={"requestBody": {"required": True, "content": FILES}},
)
@door(allow("imports.run"))
def bring(
    session: Session,
    ctx: Ctx,
    *,
    kind: KindName,
    body: Annotated[bytes, Body(media_type=CSV)],
    dry_run: Annotated[bool, Query(description="Do it all, answer what came of it, keep nothing.")] = False,
    business: Business = None,
    first: Annotated[str | None, Depends(first_hash)],
) -> ImportOut:
    """Bring a table in: CSV or a workbook as the body. Good rows come in, refused ones are answered and kept.

    The same table again changes nothing. All is one transaction; larger tables go through `earlybird import csv`.
    """
    with tempfile.TemporaryDirectory(prefix="earlybird-table-") as folder:
        path = Path(folder) / "table"
        path.write_bytes(body)
        found = tables.kind_of(kind)
        outcome = tables.take_within(session, ctx, found, path, business=business, dry_run=dry_run, first_hash=first)
    return ImportOut.model_validate(outcome.as_facts())


@router.get("/exports/{kind}", response_class=Response, responses={200: {"content": FILES}})
@door(allow("exports.run"))
def send(
    session: Session,
    ctx: Ctx,
    *,
    kind: KindName,
    business: Business = None,
    form: Annotated[Literal["csv", "xlsx"], Query(alias="format", description="csv or a workbook.")] = "csv",
) -> Response:
    """Write a table as it can be brought in again; no cell opens a formula."""
    home = tables.find_home(session, ctx.now, business)
    found = tables.export_of(kind)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.{form}"'}
    if form == "csv":
        parts = [part.encode() for part in tables.as_text(session, home, found)]
        return Response(b"".join(parts), media_type=CSV, headers=headers)
    with tempfile.TemporaryDirectory(prefix="earlybird-table-") as folder:
        path = Path(folder) / "table.xlsx"
        tables.as_workbook(session, home, found, path)
        return Response(path.read_bytes(), media_type=WORKBOOK, headers=headers)
