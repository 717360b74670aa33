"""Every change to customers: taken on, changed, moved, merged."""

from earlybird.customers.service.newcomers import Door, Newcomer, create, create_many, logins_later

__all__ = ["Door", "Newcomer", "create", "create_many", "logins_later"]
