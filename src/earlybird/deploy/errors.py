"""What may be refused or go wrong before, during and after a change."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound, Unavailable


class ToolMissing(Unavailable):
    """PostgreSQL's own pg_dump and pg_restore of the server's version are needed; install its client programs."""


class ToolFailed(Unavailable):
    """PostgreSQL's own program gave up."""


class BackupRuns(Conflict):
    """Another backup or drill is at work in that folder."""


class NoSuchFolder(NotFound):
    """There is no whole backup of that name or at that path."""


class BackupDamaged(Conflict):
    """The backup is not what was written: a part is missing, cut or changed."""


class KeyMissing(Invalid):
    """An encrypted backup needs its key: EARLYBIRD_BACKUP_KEY or EARLYBIRD_BACKUP_KEY_FILE."""


class KeyWrong(Conflict):
    """The backup was encrypted with another key."""


class NotOurs(Conflict):
    """The backup's list of parts was not signed with this installation's secret key."""


class TargetNotEmpty(Conflict):
    """A backup is restored into an empty database or folder only; nothing was touched."""


class WritersBusy(Conflict):
    """Somebody still writes: a command or a job; wait for it or end it, then try again. Writing goes on."""


class WritingIsStopped(Conflict):
    """Writing is stopped already; earlybird writing status says why."""


class WritingIsOpen(Conflict):
    """Writing is not stopped."""


class NotRecovered(Conflict):
    """It did not verify, so writing stays stopped; earlybird writing status says since when and why."""
