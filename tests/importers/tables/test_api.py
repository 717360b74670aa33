"""Tables over HTTP."""

from __future__ import annotations

import io

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from sqlalchemy import Engine

import make
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.main import create_app
from make import entrance

CUSTOMERS = "name,phone\r\n=Meena,9876543210\r\nAsha,12\r\n"


@pytest.fixture
def door(fresh: Engine, firm: make.Firm, ctx: Ctx) -> TestClient:
    keys = Keys.random()
    with db.transaction(fresh) as session:
        grants.seed(session, ctx)
        token = entrance.token(session, keys, ctx.now, "admin")
    client = TestClient(create_app(fresh, lambda: ctx.now, keys=keys))
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_table_comes_in_and_goes_out_over_http(door: TestClient) -> None:
    head = {"Content-Type": "text/csv"}
    tried = door.post("/api/imports/customers?dry_run=true", content=CUSTOMERS, headers=head)
    assert (tried.status_code, tried.json()["created"]) == (200, 1), tried.text
    assert door.get("/api/exports/customers").text.count("\r\n") == 1
    done = door.post("/api/imports/customers", content=CUSTOMERS, headers=head).json()
    assert (done["created"], done["refused"]) == (1, 1)
    assert [(row["line"], row["field"]) for row in done["rejections"]] == [(3, "phone")]
    assert door.post("/api/imports/customers", content=CUSTOMERS, headers=head).json()["same"] == 1
    sent = door.get("/api/exports/customers")
    assert sent.headers["content-type"].startswith("text/csv")
    assert "'=Meena,'+919876543210" in sent.text
    again = door.post("/api/imports/customers", content=sent.text.encode(), headers=head).json()
    assert (again["same"], again["refused"]) == (1, 0)


def test_a_workbook_goes_out_and_comes_in_over_http(door: TestClient) -> None:
    door.post("/api/imports/customers", content=CUSTOMERS, headers={"Content-Type": "text/csv"})
    book = door.get("/api/exports/customers?format=xlsx")
    assert load_workbook(io.BytesIO(book.content)).active["B2"].value == "'=Meena"
    kind = {"Content-Type": book.headers["content-type"]}
    assert door.post("/api/imports/customers", content=book.content, headers=kind).json()["same"] == 1


@pytest.mark.parametrize(
    ("body", "said"), [("name,fone\r\n", "fone"), ("", "body"), ('name,phone\r\n"A', "cannot be read")]
)
def test_a_file_that_is_no_table_is_refused_by_name(door: TestClient, body: str, said: str) -> None:
    answer = door.post("/api/imports/customers", content=body, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 422
    assert said in answer.text
