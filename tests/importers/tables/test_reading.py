"""Files that nobody vouches for: encodings, delimiters, headers, packed and broken ones, workbooks."""

from __future__ import annotations

import io
import lzma
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables.reading import Formula, Table, files, open_table, workbook

KNOWN = {"name", "phone", "notes"}


def table(tmp_path: Path, body: bytes, name: str = "t.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(body)
    return open_table(path, KNOWN)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_text_is_read_in_any_usual_spelling(tmp_path: Path, encoding: str, delimiter: str) -> None:
    body = f'Name{delimiter}Phone\r\n"Zoë{delimiter} ""మీనా""\nof the hill"{delimiter}1\r\n\r\nAsha{delimiter}2\r\n'
    found = table(tmp_path, body.encode(encoding))
    assert found.header == ["name", "phone"]
    assert list(found.rows()) == [(2, [f'Zoë{delimiter} "మీనా"\nof the hill', "1"]), (5, ["Asha", "2"])]
    assert found.count == 2
    assert not found.notes


def test_windows_text_is_read_and_said_aloud(tmp_path: Path) -> None:
    found = table(tmp_path, "name,phone\nZoë €,1\n".encode("cp1252"))
    assert list(found.rows()) == [(2, ["Zoë €", "1"])]
    assert "Windows-1252" in found.notes[0]


def test_the_separator_line_of_spreadsheets_is_no_header(tmp_path: Path) -> None:
    assert table(tmp_path, b"sep=;\r\nname;phone\r\nA;1\r\n").header == ["name", "phone"]


def test_packed_text_is_unpacked(tmp_path: Path) -> None:
    assert table(tmp_path, lzma.compress(b"name,phone\nA,1\n"), "t.csv.xz").count == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b'name,phone\n"A,1\n', "line 2"),
        (b"\xff\xfen\x00a", "UTF-16"),
        (b"name,phone\n\x81\x8d,1\n", "neither"),
        (lzma.compress(b"name,phone\nA,1\n" * 99)[:-20], "damaged"),
        (b"PK\x03\x04 no zip at all", "workbook"),
    ],
)
def test_what_is_no_table_is_refused_whole(tmp_path: Path, body: bytes, said: str) -> None:
    with pytest.raises(TableUnreadable, match=said):
        table(tmp_path, body)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (["name", "fone"], "'fone' is not known"),
        (["name", "name"], "'name' stands twice"),
        (["phone"], "'name' is missing"),
        (["name", "", "phone"], "Column 2 has no name"),
    ],
)
def test_a_header_is_refused_by_the_column(header: list[str], said: str) -> None:
    with pytest.raises(TableUnreadable, match=said):
        files.check_header(header, KNOWN, ["name"])


def book(rows: list[list[object]]) -> bytes:
    made = Workbook()
    for row in rows:
        made.active.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_a_workbook_gives_numbers_dates_and_formulas_as_what_they_are(tmp_path: Path) -> None:
    body = book([["Name", "Phone"], ["A", 9876543210.0], [None, None], [datetime(2026, 1, 5), "=1+1"], ["'=x", None]])
    rows = list(table(tmp_path, body, "t.xlsx").rows())
    assert rows == [(2, ["A", 9876543210]), (4, [datetime(2026, 1, 5), Formula("=1+1")]), (5, ["=x"])]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = io.BytesIO(book([["name"], ["A"]]))
    with zipfile.ZipFile(body, "a", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/media/bomb.bin", bytes(50 << 20))
    monkeypatch.setattr(workbook, "MOST_BYTES", 20 << 20)
    with pytest.raises(TableUnreadable, match="would unpack"):
        table(tmp_path, body.getvalue(), "t.xlsx")


def test_a_workbook_with_entities_is_refused(tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as parts:
        parts.writestr("xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(TableUnreadable, match="document type"):
        table(tmp_path, body.getvalue(), "t.xlsx")
