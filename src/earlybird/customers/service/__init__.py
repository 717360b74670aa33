"""Every change to customers: taken on, changed, moved, merged."""

from earlybird.customers.rules import Door, Newcomer
from earlybird.customers.service.facts import add_address, change, change_address, move, remove_address
from earlybird.customers.service.merging import merge, undo
from earlybird.customers.service.newcomers import create, create_many, logins_later

__all__ = [
    "Door",
    "Newcomer",
    "add_address",
    "change",
    "change_address",
    "create",
    "create_many",
    "logins_later",
    "merge",
    "move",
    "remove_address",
    "undo",
]
