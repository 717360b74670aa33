"""Before, during and after a change: backups and what proves them, migrations looked at, the emergency path."""
