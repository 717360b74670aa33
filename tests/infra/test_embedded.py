"""The embedded PostgreSQL, with real servers: started, killed, shared, moved and refused."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from earlybird.infra import embedded
from earlybird.infra.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
SECONDS = 60

as_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")


def system_python() -> str:
    """Find a Python for other users; this one may well lie in a private home."""
    for path in ("/usr/bin/python3", "/usr/local/bin/python3"):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        if Path(path).exists() and subprocess.run([path, "-c", code], check=False).returncode == 0:
            return path
    return ""


SYSTEM_PYTHON = system_python()

# A program that uses the database until its standard input closes, or until it is killed.
USER = """
import sys
from pathlib import Path
from earlybird.infra.embedded import Embedded
with Embedded(Path(sys.argv[1]), durable=False).running():
    print("up", flush=True)
    sys.stdin.read()
"""


def until(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not fact():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(0.02)


def stat_of(pid: int) -> list[str]:
    """Give name and state of a process; nothing if it is gone."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [name, rest.split()[0]]


def servers(pgdata: Path) -> list[int]:
    """List the living postmasters of a cluster, by their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if os.fsencode(pgdata) in words and b"/postgres" in words[0]:
                found.append(int(process.name))
    return found


def postmaster(db: Embedded) -> int:
    return int((db.pgdata / "postmaster.pid").read_text().split()[0])


def is_live(pid: int) -> bool:
    return stat_of(pid)[1:] not in ([], ["Z"], ["X"])


def python(code: str, *words: str | Path, user: str | None = None) -> subprocess.Popen[str]:
    """Run a program, as another user if one is named: with a Python that user can run."""
    source = str(Path(embedded.__file__).parents[2])
    wheels = [*site.getsitepackages(), sysconfig.get_path("purelib")]
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")]), *wheels])
    if user and not SYSTEM_PYTHON:
        pytest.skip("no system-wide Python 3.11 or newer")
    return subprocess.Popen(
        [SYSTEM_PYTHON if user else sys.executable, "-c", code, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ | {"PYTHONPATH": path},
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
    )


def user_of(db: Embedded) -> subprocess.Popen[str]:
    """Start another process that uses the database, and wait until it does."""
    process = python(USER, db.data_dir)
    assert process.stdout
    assert process.stdout.readline() == "up\n", process.communicate()
    return process


@pytest.fixture
def place() -> Iterator[Path]:
    """Give an empty directory that PostgreSQL's account can pass through, unlike tmp_path's."""
    directory = Path(tempfile.mkdtemp(prefix="eb-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def db(place: Path) -> Iterator[Embedded]:
    database = Embedded(place / "data", durable=False)
    yield database
    database.destroy()
    assert servers(database.pgdata) == []


@pytest.fixture
def durable(place: Path) -> Iterator[Embedded]:
    """Give one that keeps every commit, whatever gets killed."""
    database = Embedded(place / "data")
    yield database
    database.destroy()
    assert servers(database.pgdata) == []


def put(db: Embedded, value: int) -> None:
    with psycopg.connect(db.dsn()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def rows(db: Embedded) -> list[int]:
    with psycopg.connect(db.dsn()) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY 1")]


def setting(db: Embedded, name: str) -> str:
    with psycopg.connect(db.dsn()) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row
    return str(row[0])


def test_starts_cold_and_warm_and_keeps_rows(db: Embedded) -> None:
    assert not db.is_running()
    db.stop()
    with db.running() as url:
        assert url.startswith("postgresql+psycopg://earlybird@/earlybird?host=")
        put(db, 1)
    assert not db.is_running()
    with db.running():
        assert rows(db) == [1]
        before = postmaster(db)
        db.start()
        assert postmaster(db) == before


def test_is_tuned_private_and_silent_on_the_network(db: Embedded) -> None:
    with db.running():
        assert setting(db, "listen_addresses") == ""
        assert setting(db, "jit") == "off"
        assert setting(db, "TimeZone") == "UTC"
        assert setting(db, "shared_buffers") == "512MB"
        assert setting(db, "fsync") == "off"
        assert setting(db, "data_checksums") == "on"
        assert setting(db, "server_version") == db.server_version
        assert db.pgdata.stat().st_mode & 0o777 == 0o700
        assert db.socket_dir == db.pgdata
        for tool in ("psql", "pg_dump", "pgbench"):
            assert db.binaries().tool(tool).is_file()


def test_is_durable_unless_told_otherwise(durable: Embedded) -> None:
    with durable.running():
        assert setting(durable, "fsync") == "on"
        assert setting(durable, "full_page_writes") == "on"
        assert setting(durable, "synchronous_commit") == "on"
    durable.destroy()
    assert not durable.pgdata.exists()


def test_a_client_environment_does_not_mislead(db: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere.invalid"}.items():
        monkeypatch.setenv(name, value)
    with db.running():
        put(db, 1)
        assert rows(db) == [1]


def test_an_odd_path_works(place: Path) -> None:
    database = Embedded(place / "o'dd é %20 & dir", durable=False)
    with database.running():
        put(database, 1)
        assert rows(database) == [1]
    database.destroy()


def test_a_path_a_shell_would_change_is_refused(place: Path) -> None:
    with pytest.raises(embedded.DirectoryUnusable, match="choose another"):
        Embedded(place / "a$HOME", durable=False).start()


def test_a_deep_path_gets_a_short_private_socket(place: Path) -> None:
    database = Embedded(place / ("d" * 60) / ("e" * 60), durable=False)
    with database.running():
        put(database, 1)
        assert database.socket_dir.parent == embedded.SOCKET_ROOT
        assert database.socket_dir.stat().st_mode & 0o777 == 0o700
        assert database.socket_dir.stat().st_uid == database.pgdata.stat().st_uid
    database.destroy()
    assert not database.socket_dir.exists()


def test_a_foreign_socket_directory_is_refused(place: Path) -> None:
    database = Embedded(place / ("d" * 60) / ("e" * 60), durable=False)
    database.socket_dir.mkdir(mode=0o755)
    try:
        with pytest.raises(embedded.DirectoryUnusable, match="not a private directory"):
            database.start()
    finally:
        database.destroy()


def test_two_processes_that_start_at_once_share_one_server(db: Embedded) -> None:
    both = [python(USER, db.data_dir) for _ in range(4)]
    for process in both:
        assert process.stdout
        assert process.stdout.readline() == "up\n", process.communicate()
    assert len(servers(db.pgdata)) == 1
    put(db, 1)
    for process in both[:-1]:
        process.communicate(timeout=SECONDS)
        assert db.is_running()
    both[-1].communicate(timeout=SECONDS)
    assert [process.returncode for process in both] == [0] * 4
    assert not db.is_running()
    assert servers(db.pgdata) == []


def test_users_that_leave_at_once_leave_no_server(db: Embedded) -> None:
    for _ in range(3):
        users = [user_of(db) for _ in range(4)]
        for process in users:
            assert process.stdin
            process.stdin.close()
        assert [process.wait(SECONDS) for process in users] == [0] * 4
        assert servers(db.pgdata) == []
        for process in users:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            process.stderr.close()


def test_a_killed_postmaster_starts_again_with_its_rows(durable: Embedded) -> None:
    with durable.running():
        for value in range(3):
            put(durable, value)
            os.kill(postmaster(durable), signal.SIGKILL)
            durable.start()
            assert rows(durable) == list(range(value + 1))
        durable.stop()


def test_a_killed_user_leaves_a_server_that_the_next_clean_exit_stops(db: Embedded) -> None:
    killed = user_of(db)
    before = postmaster(db)
    killed.kill()
    killed.communicate()
    assert db.is_running()
    other = user_of(db)
    assert postmaster(db) == before
    other.communicate(timeout=SECONDS)
    assert other.returncode == 0
    assert servers(db.pgdata) == []
    assert not db.is_running()


def test_a_user_that_only_starts_stops_it_at_its_end(db: Embedded) -> None:
    code = USER.replace("with ", "db = ").replace(").running():", ")\ndb.start()\nif True:")
    process = python(code, db.data_dir)
    out, err = process.communicate(timeout=SECONDS)
    assert (out, err, process.returncode) == ("up\n", "", 0)
    assert servers(db.pgdata) == []


def test_a_fork_does_not_stop_its_parents_server(db: Embedded) -> None:
    code = USER.replace('print("up"', 'import os\n    pid = os.fork()\n    print("up\\n", end=""')
    code = code.replace("sys.stdin.read()", "pid and (os.waitpid(pid, 0), sys.stdin.read())")
    process = python(code, db.data_dir)
    assert process.stdout
    assert [process.stdout.readline() for _ in range(2)] == ["up\n"] * 2
    child_is_gone = f"/proc/{process.pid}/task/{process.pid}/children"
    until(lambda: not Path(child_is_gone).read_text(), "the child ends")
    assert db.is_running()
    process.communicate(timeout=SECONDS)
    assert servers(db.pgdata) == []


def test_a_kept_server_outlives_its_users_until_stopped(db: Embedded) -> None:
    db.start(keep=True)
    user_of(db).communicate(timeout=SECONDS)
    assert db.is_running()
    db.stop()
    assert servers(db.pgdata) == []
    user_of(db).communicate(timeout=SECONDS)
    assert servers(db.pgdata) == [], "the old wish to keep outlived its server"


def test_a_half_made_cluster_is_discarded(db: Embedded) -> None:
    process = python(USER, db.data_dir)
    until(lambda: any(db.data_dir.glob("pgdata.tmp-*/PG_VERSION")), "initdb is at work")
    process.kill()
    process.communicate()
    assert not db.pgdata.exists()
    with db.running():
        put(db, 1)
        assert rows(db) == [1]
    with db.running():
        assert not list(db.data_dir.glob("pgdata.tmp-*"))


def test_a_start_that_was_killed_is_taken_over(db: Embedded) -> None:
    with db.running():
        put(db, 7)
    process = python(USER, db.data_dir)
    until((db.pgdata / "postmaster.pid").exists, "the postmaster starts")
    process.kill()
    process.communicate()
    with db.running():
        assert rows(db) == [7]
    assert servers(db.pgdata) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_pid_file_that_names_another_program_is_no_obstacle(durable: Embedded) -> None:
    with durable.running():
        put(durable, 1)
        pid_file = (durable.pgdata / "postmaster.pid").read_text()
        os.kill(postmaster(durable), signal.SIGKILL)
        until(lambda: not durable.is_running(), "the server is gone")
        owner = pwd.getpwuid(durable.pgdata.stat().st_uid).pw_name
        # Its account matters: PostgreSQL takes only a pid of its own account for a server.
        sleeper = python("input()", user=owner if IS_ROOT else None)
        words = pid_file.splitlines()
        (durable.pgdata / "postmaster.pid").write_text("\n".join([str(sleeper.pid), *words[1:], ""]))
        durable.start()
        assert rows(durable) == [1]
        durable.stop()
        assert sleeper.poll() is None, "an innocent process was signalled"
        sleeper.communicate("\n")


def test_another_major_version_is_named(db: Embedded) -> None:
    with db.running():
        pass
    (db.pgdata / "PG_VERSION").write_text("12\n")
    with pytest.raises(embedded.VersionMismatch, match=r"made by PostgreSQL 12.*only.*dump"):
        db.start()
    (db.pgdata / "PG_VERSION").write_text("18\n")


def test_a_damaged_cluster_is_named_with_the_servers_words(db: Embedded) -> None:
    with db.running():
        pass
    (db.pgdata / "global" / "pg_control").unlink()
    with pytest.raises(embedded.ServerDidNotStart, match=r"(?s)damaged.*pg_control"):
        db.start()


def test_a_directory_that_is_no_cluster_is_left_alone(place: Path) -> None:
    (place / "data" / "pgdata").mkdir(parents=True)
    (place / "data" / "pgdata" / "novel.txt").write_text("chapter one")
    with pytest.raises(embedded.DatabaseUnavailable, match=r"no PostgreSQL cluster|belongs to"):
        Embedded(place / "data").start()
    assert (place / "data" / "pgdata" / "novel.txt").read_text() == "chapter one"


def test_a_wrong_setting_is_named(db: Embedded) -> None:
    with db.running():
        pass
    (db.pgdata / "postgresql.auto.conf").write_text("shared_buffers = 'many'\n")
    with pytest.raises(embedded.ServerDidNotStart, match=r"(?s)setting.*shared_buffers"):
        db.start()


def test_missing_binaries_name_both_remedies(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "installed", lambda: iter([place]))
    with pytest.raises(embedded.BinariesMissing, match=r"(?s)pip install.*apt-get install"):
        Embedded(place / "data").start()


def test_the_systems_postgresql_serves_where_the_wheel_is_missing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WHEEL", "no_such_wheel")
    if not any((directory / "initdb").exists() for directory in embedded.installed()):
        pytest.skip("no system PostgreSQL here")
    database = Embedded(place / "data", durable=False)
    with database.running():
        put(database, 1)
    monkeypatch.undo()  # the wheel is back, and brings another major version
    with database.running():
        assert rows(database) == [1]
    database.destroy()


def test_a_file_in_the_way_is_named(place: Path) -> None:
    (place / "data").write_text("")
    with pytest.raises(embedded.DirectoryUnusable, match="a file is where"):
        Embedded(place / "data").start()


@pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")
def test_an_unwritable_directory_is_named(place: Path) -> None:
    place.chmod(0o555)
    try:
        with pytest.raises(embedded.DirectoryUnusable, match=r"no permission.*another"):
            Embedded(place / "data").start()
    finally:
        place.chmod(0o711)


@as_root
def test_works_as_a_normal_user_and_root_joins_the_same_cluster(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    data = home / "data"
    code = USER + "    print(Path(sys.argv[1], 'pgdata').owner())\n"
    mine = python(code, data, user="nobody")
    out, err = mine.communicate(timeout=SECONDS)
    assert (out, err) == ("up\nnobody\n", "")
    database = Embedded(data, durable=False)
    with database.running():
        put(database, 1)
        assert Path(f"/proc/{postmaster(database)}").stat().st_uid == NOBODY.pw_uid
    again = python(code, data, user="nobody")
    assert again.communicate(timeout=SECONDS) == ("up\nnobody\n", "")
    database.destroy()


@as_root
def test_a_normal_user_is_told_whose_cluster_it_is(db: Embedded) -> None:
    with db.running():
        process = python(USER, db.data_dir, user="nobody")
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode != 0
        assert "DirectoryUnusable" in err
        assert "belongs to" in err


@as_root
def test_an_unwritable_directory_is_named_to_a_normal_user(place: Path) -> None:
    process = python(USER, place / "data", user="nobody")
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    assert "nobody has no permission; choose another data directory" in err


@as_root
def test_beneath_a_private_directory_the_cluster_lives_elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STATE_ROOT", place / "state")
    private = place / "private"
    private.mkdir(mode=0o700)
    old_mask = os.umask(0o077)
    try:
        database = Embedded(private / "data", durable=False)
        with database.running():
            put(database, 1)
            assert database.pgdata.parent.parent == place / "state"
            assert private.stat().st_mode & 0o777 == 0o700
            pointer = private / "data" / "pgdata.location"
            assert pointer.read_text() == f"{database.pgdata}\n"
    finally:
        os.umask(old_mask)
    with Embedded(private / "data", durable=False).running():
        assert rows(database) == [1]
    pgdata = database.pgdata
    pgdata.parent.rename(place / "lost")
    with pytest.raises(embedded.DirectoryUnusable, match="is gone"):
        database.start()
    (place / "lost").rename(pgdata.parent)
    database.destroy()
    assert not list((place / "state").iterdir())


@as_root
def test_private_programs_are_copied_once_to_where_the_account_can_run_them(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = next(embedded.installed()).parent
    if embedded.WHEEL not in wheel.parts:
        pytest.skip("the wheel is not installed")
    private = place / "venv"
    private.mkdir(mode=0o700)
    shutil.copytree(wheel, private / embedded.WHEEL / wheel.name, symlinks=True)
    libraries = f"{embedded.WHEEL}.libs"
    shutil.copytree(wheel.parent.parent / libraries, private / libraries)
    hidden = private / embedded.WHEEL / wheel.name / "bin"
    (place / "cache").mkdir()
    (place / "cache" / "tmp-left-by-a-kill").mkdir()
    monkeypatch.setattr(embedded, "installed", lambda: iter([hidden]))
    monkeypatch.setattr(embedded, "CACHE_ROOT", place / "cache")
    database = Embedded(place / "data", durable=False)
    with database.running():
        put(database, 1)
        copied = database.binaries().directory
        assert place / "cache" in copied.parents
        assert private.stat().st_mode & 0o777 == 0o700
        made = copied.stat().st_ino
    (copied / "postgres").unlink()  # a copy that was cut short heals
    with database.running():
        assert rows(database) == [1]
        assert database.binaries().directory.stat().st_ino != made
    assert [path.name for path in (place / "cache").glob("tmp-*")] == []
    database.destroy()


def test_a_stopped_server_says_so_even_where_nothing_ever_was(place: Path) -> None:
    database = Embedded(place / "never")
    assert not database.is_running()
    database.stop()
    database.destroy()
    assert not (place / "never").exists()
