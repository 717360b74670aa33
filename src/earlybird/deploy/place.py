"""Where backups are kept and with which keys: what every part of this storey needs of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from earlybird.backups.service import Terms
from earlybird.deploy.errors import KeyMissing
from earlybird.infra import checkpoints
from earlybird.infra.ports import files
from earlybird.infra.ports.files import Files
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of backups, what is saved besides the database, and the keys."""

    home: Path
    files: Files
    checkpoint_file: Path
    keys: Keys = field(repr=False)
    key: Keys | None = field(repr=False)
    terms: Terms

    @classmethod
    def of(cls, settings: Settings, home: Path | None = None) -> Place:
        """Read the settings; `home` is a folder given by hand."""
        return cls(
            home=(home or settings.backup_dir or settings.data_dir / "backups").absolute(),
            files=files.files(settings),
            checkpoint_file=checkpoints.place(settings),
            keys=Keys.read(settings),
            key=key(settings),
            terms=Terms(settings.production, settings.backup_fresh_hours),
        )


def key(settings: Settings) -> Keys | None:
    """Return the key of encrypted backups, None where the settings name none."""
    if settings.backup_key is not None:
        return Keys.decoded(settings.backup_key.get_secret_value())
    if settings.backup_key_file is None:
        return None
    try:
        return Keys.decoded(settings.backup_key_file.read_text(encoding="ascii"))
    except OSError as failure:
        raise KeyMissing(f"The key of the backups cannot be read: {failure}", field="backup_key_file") from failure
