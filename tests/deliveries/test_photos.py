"""Pictures from the door over HTTP: sent once, made anew, private, shown by links that end, swept when nobody's."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import ExifTags, Image

from earlybird.deliveries.schemas.photos import Said
from earlybird.deliveries.service import photos
from earlybird.files import service as keeping
from earlybird.files.states import FileKind
from earlybird.infra import db, http
from earlybird.infra.images.darkroom import LARGEST, Darkroom
from earlybird.infra.ports.files import Files, FolderFiles
from earlybird.kernel.ids import new_id
from make import entrance
from make.hostile import HTML, PAYLOAD, picture, polyglots, written
from make.places import bucket, files
from make.shared import round_of, shared
from make.town import Town

__all__ = ["bucket", "files"]

BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)
PHOTO = written(picture((400, 300)))


@pytest.fixture(scope="module")
def darkroom() -> Iterator[Darkroom]:
    room = Darkroom()
    yield room
    room.close()


@pytest.fixture
def town(town: Town, darkroom: Darkroom, tmp_path: Path) -> Town:
    """A town that keeps its pictures in a folder of its own."""
    town.app.state.darkroom = darkroom
    town.app.state.files = FolderFiles(tmp_path / "files")
    return town


@pytest.fixture
def stops(town: Town) -> tuple[str, str]:
    """Meena's delivery, which the driver brings, and Ravi's, which nobody does, on the morning itself."""
    found = town.planned("meena", "2", "1")[1], town.planned("ravi", "1")[1]
    town.now = BREAKFAST
    return found


@pytest.fixture
def stop(stops: tuple[str, str]) -> str:
    """Meena's delivery."""
    return stops[0]


def send(
    town: Town, delivery_id: str, body: bytes = PHOTO, role: str | None = "driver", what: str = "photos", **said: Any
) -> Any:
    headers = {"Content-Type": said.pop("media", "image/jpeg"), **said.pop("headers", {})}
    if role:
        headers["Authorization"] = f"Bearer {town.token(role)}"
    return town.api.post(f"/api/deliveries/{delivery_id}/{what}", content=body, params=said, headers=headers)


def shown(town: Town, delivery_id: str, role: str = "driver") -> dict[str, Any]:
    answer = town.ask(role, "GET", f"/api/deliveries/{delivery_id}/photos")
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(town: Town) -> list[str]:
    return sorted(town.app.state.files.older(datetime.now(UTC) + timedelta(days=1)))


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_photo_is_taken_kept_and_shown_wherever_files_are_kept(town: Town, stop: str, files: Files) -> None:
    town.app.state.files = files
    exif = Image.Exif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal], inner[ExifTags.Base.OffsetTimeOriginal] = "2026:01:16 06:45:00", "+05:30"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (12.0, 30.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (77.0, 30.0, 0.0)
    body, key = written(picture((400, 300)), exif=exif, comment=PAYLOAD), str(new_id())
    answer = send(town, stop, body, file_id=key, taken_at="2026-01-16T07:00:00+05:30", lat=1, lon=2)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["id"], made["kind"], made["width"], made["taken_by"]) == (key, "photo", 400, "camera")
    assert (made["taken_at"], made["uploaded_by"]) == ("2026-01-16T01:15:00Z", "Prakash")
    assert made["digest"] == hashlib.sha256(body).hexdigest()
    assert made["place"] is None  # that is for staff
    seen = shown(town, stop, "admin")["photos"]
    assert [(p["id"], p["place"]) for p in seen] == [(key, {"lat": 12.5, "lon": 77.5, "by": "camera"})]
    for url, name in (("url", "served_digest"), ("thumbnail_url", None)):
        got = town.api.get(made[url])
        assert got.status_code == 200, got.text
        assert not any(word in got.content for word in (b"Exif", b"2026", PAYLOAD, PAYLOAD[:20]))
        assert name is None or hashlib.sha256(got.content).hexdigest() == made[name]
        assert got.headers["content-type"] == "image/jpeg"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert "script-src 'self'" not in got.headers["content-security-policy"]
        assert got.headers["content-disposition"].startswith('inline; filename="photo-')
        assert got.headers["cache-control"].startswith("private")
    row = town.rows("SELECT * FROM files WHERE id = :id", id=key)[0]
    assert row["original"]["exif"]["taken"] == "2026:01:16 06:45:00"
    assert row["original"]["said"]["place"] == {"lat": 1.0, "lon": 2.0}
    bytes_kept = [b"".join(files.get(row[name])) for name in ("object_name", "thumbnail_name")]
    assert body not in bytes_kept
    assert not any(PAYLOAD in part or b"Exif" in part for part in bytes_kept)
    entry = town.rows("SELECT actor_name, after FROM audit_entries WHERE entity_id = :id", id=key)[0]
    assert (entry["actor_name"], entry["after"]["digest"]) == ("Prakash", made["digest"])
    removed = [keeping.sweep(town.engine, town.ctx().at(datetime.now(UTC) + timedelta(days=days)), files)
               for days in (0, 3)]  # fmt: skip
    assert removed == [0, 0]
    assert town.api.get(made["url"]).status_code == 200


def test_the_same_photo_again_is_there_once(town: Town, stop: str) -> None:
    key = str(new_id())
    first = send(town, stop, file_id=key)
    again = [send(town, stop, file_id=key), send(town, stop, file_id=key, headers={"Idempotency-Key": "a"})]
    replayed = send(town, stop, file_id=key, headers={"Idempotency-Key": "a"})
    assert [a.json()["id"] for a in (first, *again, replayed)] == [key] * 4
    assert replayed.headers["idempotent-replayed"] == "true"
    assert len(shown(town, stop)["photos"]) == 1
    assert len(kept(town)) == 2  # not opened a second time
    assert refused(send(town, stop, written(picture((90, 90))), file_id=key)) == (409, "FileIdTaken")
    assert refused(send(town, stop, what="signature", file_id=key)) == (409, "FileIdTaken")
    other = send(town, stop, file_id=key, headers={"Idempotency-Key": "a"}, body=PHOTO + b"x")
    assert other.status_code in {409, 422}


def test_eight_at_once_keep_one(town: Town, stop: str) -> None:
    key = str(new_id())
    town.token("driver")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(town, stop, file_id=key), range(8)))
    assert {a.status_code for a in answers} == {201}
    assert len(shown(town, stop)["photos"]) == 1
    audited = town.rows("SELECT FROM audit_entries WHERE action = 'files.upload' AND entity_id = :id", id=key)
    assert len(audited) == 1
    before = len(kept(town))
    later = town.ctx().at(datetime.now(UTC) + timedelta(days=2))
    assert keeping.sweep(town.engine, later, town.app.state.files) == before - 2  # what the slower ones kept
    assert town.api.get(answers[0].json()["url"]).status_code == 200


@pytest.mark.parametrize(
    "role", ["substitute", "ravi", "meena", "merchant", "warehouse", "marketing", "supplier", None]
)
def test_who_has_no_business_there_sends_nothing_and_nothing_is_kept(town: Town, stop: str, role: str | None) -> None:
    expected = {"substitute": 404, None: 401}.get(role, 403)
    assert send(town, stop, role=role).status_code == expected
    assert send(town, stop, role=role, what="signature").status_code == expected
    assert send(town, str(uuid4()), role=role).status_code == expected
    assert kept(town) == []


def test_two_that_write_the_same_picture_at_the_same_moment_write_it_once(
    town: Town, stop: str, darkroom: Darkroom
) -> None:
    """The second waits for the first, and then finds it."""
    key = new_id()
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    def write(session: db.Session) -> dict[str, Any]:
        kept = keeping.keep(town.app.state.files, darkroom, PHOTO, FileKind.photo)
        return photos.add(session, town.ctx(), UUID(stop), kind=FileKind.photo, said=Said(file_id=key),
                          digest=kept.digest, kept=kept)  # fmt: skip

    def alone() -> dict[str, Any]:
        with db.transaction(town.engine) as session:
            return write(session)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction(town.engine) as session:
            first = write(session)
            second = pool.submit(alone)
            while not town.rows(waits) and not second.done():
                wait([second], timeout=0.01)
        assert second.result(30)["id"] == first["id"] == key
    assert len(shown(town, stop)["photos"]) == 1


def test_pictures_are_seen_by_those_who_see_the_delivery(town: Town, stop: str) -> None:
    made = send(town, stop, role="support").json()
    for role in ("admin", "support", "driver", "meena", "warehouse"):
        [photo] = shown(town, stop, role)["photos"]
        is_staff = role in {"admin", "support"}
        assert (photo["device"] is not None, photo["address"] is not None) == (is_staff, is_staff), role
        assert town.api.get(photo["thumbnail_url"]).status_code == 200
    for role, status in (("ravi", 404), ("substitute", 404), ("merchant", 403), (None, 401)):
        assert town.ask(role, "GET", f"/api/deliveries/{stop}/photos").status_code == status, role
    assert made["id"]


def test_a_link_that_ended_was_changed_or_is_another_pictures_opens_nothing(town: Town, stop: str) -> None:
    one, other = send(town, stop).json(), send(town, stop, written(picture((99, 99)))).json()
    url, base = one["url"], f"/files/{one['id']}"
    query = url.partition("?")[2]
    ends = query.partition("expires=")[2].partition("&")[0]
    bad = {
        "another file": url.replace(one["id"], other["id"]),
        "another size": url.replace("variant=whole", "variant=thumbnail"),
        "a later end": url.replace(ends, str(int(ends) + 300)),
        "another signature": url[:-1] + ("0" if url[-1] != "0" else "1"),
        "no signature": url.partition("&signature")[0],
        "nothing": base,
        "a size nobody knows": url.replace("whole", "original"),
        "an end that is none": url.replace(ends, "²" * 10),
        "an end without end": url.replace(ends, "9" * 40),
        "no id": url.replace(one["id"], "not-an-id"),
        "a file that is not there": url.replace(one["id"], str(uuid4())),
        "a signature in another alphabet": url.partition("&signature")[0] + "&signature=é",
    }
    answers = {why: town.api.get(link) for why, link in bad.items()}
    assert {why: a.status_code for why, a in answers.items()} == dict.fromkeys(bad, 404)
    [said] = {re.sub(r"Reference [0-9a-f]{32}", "", answer.text) for answer in answers.values()}
    assert "no longer good" in said
    assert town.api.get(url).status_code == 200
    assert town.api.get(url, headers={"If-None-Match": town.api.get(url).headers["etag"]}).status_code == 304
    town.now += timedelta(minutes=16)
    assert town.api.get(url).status_code == 404
    assert town.api.get(shown(town, stop)["photos"][0]["url"]).status_code == 200


def test_a_withdrawn_picture_is_shown_no_more_and_its_record_stays(town: Town, stops: tuple[str, str]) -> None:
    stop, another = stops
    made = send(town, stop).json()
    path = f"/api/deliveries/{stop}/photos/{made['id']}/withdraw"
    why = {"reason": "A passer-by is on it."}
    assert [town.ask(role, "POST", path, why).status_code for role in ("driver", "support")] == [403, 403]
    assert town.ask("admin", "POST", path.replace(made["id"], str(uuid4())), why).status_code == 404
    assert town.ask("admin", "POST", path.replace(stop, another), why).status_code == 404
    assert town.ask("admin", "POST", path, why).status_code == 204
    assert town.ask("admin", "POST", path, why).status_code == 409
    assert shown(town, stop, "admin")["photos"] == []
    assert town.api.get(made["url"]).status_code == 404
    assert refused(send(town, stop, file_id=made["id"])) == (409, "FileIdTaken")
    assert len(kept(town)) == 2
    for statement in (f"UPDATE files SET archived_at = NULL WHERE id = '{made['id']}'",
                      f"UPDATE files SET digest = 'x' WHERE id = '{made['id']}'", "DELETE FROM files"):  # fmt: skip
        with pytest.raises(Exception, match="append-only"), db.transaction(town.engine) as session:
            db.run(session, statement)


def test_a_confirmation_and_its_pictures_find_each_other_whichever_comes_first(
    town: Town, stops: tuple[str, str]
) -> None:
    """The confirmation names them by id and by digest; one belongs to another stop and is not taken for it."""
    stop, other = stops
    key, event = new_id(), uuid4().hex
    foreign = send(town, other, role="admin").json()["id"]
    early = send(town, stop, file_id=str(key)).json()
    assert early["client_ids"] == []
    late = written(picture((222, 111)))
    names = [str(key).upper(), hashlib.sha256(late).hexdigest(), foreign]
    told = {"client_id": event, "outcome": "delivered", "device_at": "2026-01-16T06:30:00+05:30", "photos": names}
    assert town.ask("driver", "POST", f"/api/deliveries/{stop}/confirm", told).status_code == 200
    assert [p["client_ids"] for p in shown(town, stop)["photos"]] == [[event]]
    assert set(shown(town, stop)["missing"]) == {names[1], foreign}
    found = send(town, stop, late).json()
    assert found["client_ids"] == [event]
    seen = shown(town, stop)
    assert ([p["client_ids"] for p in seen["photos"]], seen["missing"]) == ([[event], [event]], [foreign])
    assert "photo_missing" not in [name for name, _ in town.findings()]
    town.now += timedelta(days=1, hours=1)
    assert [name for name, _ in town.findings()].count("photo_missing") == 1


def held_by(access: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {access}"}, "role": None}


def test_whoever_holds_a_link_to_the_stop_sends_pictures_of_it_and_of_no_other(
    town: Town, stops: tuple[str, str]
) -> None:
    mine, other = stops
    key = round_of(town, [mine])
    helper = shared(town, round_id=key, actions=["see", "confirm"])
    looker = shared(town, round_id=key, actions=["see"])
    made = send(town, mine, **held_by(helper.access))
    assert made.status_code == 201, made.text
    assert (made.json()["via"], made.json()["place"]) == ("link", None)
    assert send(town, other, **held_by(helper.access)).status_code == 404
    assert send(town, mine, **held_by(looker.access)).status_code == 403
    why = {"reason": "sent to the wrong group"}
    assert town.ask("admin", "POST", f"/api/links/{helper.link_id}/revoke", why).status_code == 200
    assert send(town, mine, **held_by(helper.access)).status_code == 401


def test_who_drives_instead_that_day_sends_pictures_too(town: Town, stop: str) -> None:
    with db.transaction(town.engine) as session:
        second = entrance.person(session, "driver", site_id=town.firm.site_id, name="Suresh")
        token = entrance.token_of(session, town.keys, town.now, second, role="driver")
    assert send(town, stop, **held_by(token)).status_code == 404
    key = round_of(town, [stop])
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE rounds SET substitute_id = :u WHERE id = :id", {"u": second, "id": key})
    made = send(town, stop, **held_by(token)).json()
    assert (made["uploaded_by"], made["via"]) == ("Suresh", "driver_app")


def test_a_picture_for_the_confirmation_of_another_delivery_is_refused(town: Town, stops: tuple[str, str]) -> None:
    stop, other = stops
    event = uuid4().hex
    named = send(town, stop, client_id=event).json()  # the confirmation comes later
    assert named["client_ids"] == [event]
    told = {"client_id": event, "outcome": "delivered", "device_at": "2026-01-16T06:30:00+05:30"}
    assert town.ask("driver", "POST", f"/api/deliveries/{stop}/confirm", told).status_code == 200
    assert refused(send(town, other, role="admin", client_id=event)) == (422, "PhotoOfAnother")


def test_what_is_no_picture_or_no_picture_for_us_is_refused_and_leaves_nothing(town: Town, stop: str) -> None:
    cases: list[tuple[tuple[int, str], Any]] = [
        ((422, "NotAPicture"), send(town, stop, HTML)),
        ((422, "NotAPicture"), send(town, stop, b"")),
        ((422, "PictureBroken"), send(town, stop, PHOTO[:900])),
        ((422, "MediaTypeUnknown"), send(town, stop, PHOTO, media="text/html")),
        ((422, "MediaTypeUnknown"), send(town, stop, PHOTO, media="multipart/form-data; boundary=x")),
        ((422, "MediaTypeUnknown"), send(town, stop, PHOTO, media="image/svg+xml")),
        ((413, "TooLarge"), send(town, stop, PHOTO + bytes(LARGEST))),
        ((413, "TooLarge"), send(town, stop, (b"x" * 2**20 for _ in range(11)))),  # type: ignore[arg-type]  # in pieces
    ]
    assert [refused(answer) for _, answer in cases] == [expected for expected, _ in cases]
    wrong = [{"file_id": "x"}, {"lat": 91, "lon": 0}, {"lat": 1}, {"taken_at": "yesterday"}, {"odd": 1}, {"lat": "nan"}]
    assert {send(town, stop, **said).status_code for said in wrong} == {422}
    assert kept(town) == []
    assert shown(town, stop)["photos"] == []


def test_a_picture_that_is_something_else_too_is_only_a_picture_afterwards(town: Town, stop: str) -> None:
    for name, body in list(polyglots())[:12]:
        made = send(town, stop, body, media="image/png")  # the bytes count, not what they are called
        assert made.status_code == 201, name
        got = town.api.get(made.json()["url"])
        assert (got.headers["content-type"], got.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    folder = town.app.state.files.root
    assert not any(b"<script" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_delivery_has_so_many_pictures_and_no_more(town: Town, stop: str) -> None:
    small = written(picture((20, 20)))
    for _ in range(20):
        assert send(town, stop, small).status_code == 201
    before = kept(town)
    assert refused(send(town, stop, small)) == (409, "TooManyPhotos")
    assert kept(town) == before  # refused before it was opened


def test_a_damaged_file_is_not_shown(town: Town, stop: str) -> None:
    made = send(town, stop).json()
    [path] = [p for p in town.app.state.files.root.rglob("*") if made["served_digest"] in p.name]
    path.write_bytes(HTML)
    assert town.api.get(made["url"]).status_code == 503
    path.unlink()
    assert town.api.get(made["url"]).status_code == 503


def test_no_more_uploads_are_in_hand_than_memory_has_room_for(town: Town, stop: str) -> None:
    town.app.state.uploads = http.Uploads(most=0)
    answer = send(town, stop)
    assert refused(answer) == (503, "TooManyUploads")
    assert answer.headers["retry-after"]


DYING = """
import os, sys
from datetime import datetime
from fastapi.testclient import TestClient
from earlybird.infra import db
from earlybird.infra.ports.files import FolderFiles
from earlybird.infra.security import Keys
from earlybird.main import create_app
url, key, root, now, path, token = sys.argv[1:]

class Dying(FolderFiles):
    def put(self, name, body):
        super().put(name, body)
        if len(list(self.older(datetime.max))) == 2:
            os.kill(os.getpid(), 9)

app = create_app(db.connect(url), lambda: datetime.fromisoformat(now), keys=Keys(bytes.fromhex(key)))
app.state.files = Dying(__import__("pathlib").Path(root))
TestClient(app).post(path, content=sys.stdin.buffer.read(), headers={"Authorization": "Bearer " + token,
                     "Content-Type": "image/jpeg"})
"""


def test_killed_between_the_files_and_the_row_leaves_no_row_and_the_sweep_leaves_no_file(
    town: Town, stop: str, tmp_path: Path
) -> None:
    words = [town.engine.url.render_as_string(hide_password=False), town.keys.root.hex(), str(tmp_path / "files"),
             town.now.isoformat(), f"/api/deliveries/{stop}/photos", town.token("driver")]  # fmt: skip
    ended = subprocess.run([sys.executable, "-c", DYING, *words], input=PHOTO, capture_output=True, check=False,
                           env={**os.environ, "EARLYBIRD_DATA_DIR": str(tmp_path)})  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert shown(town, stop)["photos"] == []
    assert len(kept(town)) == 2
    sweep = [keeping.sweep(town.engine, town.ctx().at(datetime.now(UTC) + timedelta(days=days)),
                           town.app.state.files) for days in (0, 2)]  # fmt: skip
    assert sweep == [0, 2]
    assert kept(town) == []
    assert send(town, stop).status_code == 201
