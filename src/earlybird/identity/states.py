"""Roles, and the lifecycle of a login."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Role(StrEnum):
    """What somebody may be; a person may hold several by membership."""

    admin = "admin"
    support = "support"
    customer = "customer"
    driver = "driver"
    merchant = "merchant"
    warehouse = "warehouse"
    marketing = "marketing"
    supplier = "supplier"


class SessionKind(StrEnum):
    """What holds a session: a browser's cookie, an app's refresh token, a script's single access token."""

    browser = "browser"
    app = "app"
    script = "script"


class Method(StrEnum):
    """How somebody proved who they are when a session was opened."""

    password = "password"  # noqa: S105  # a word, not a secret
    code = "code"
    link = "link"
    oidc = "oidc"
    script = "script"


class Purpose(StrEnum):
    """What a one-time link or code is good for."""

    sign_in = "sign_in"
    invitation = "invitation"
    reset = "reset"


class ThrottleKind(StrEnum):
    """What is counted: a login's tries from a known, one strange, all strange places; an address; messages; PINs."""

    known = "known"
    place = "place"
    account = "account"
    address = "address"
    sending = "sending"
    link = "link"


class UserState(StrEnum):
    """Where a login stands; `uninvited` has never been sent a message."""

    uninvited = "uninvited"
    invited = "invited"
    active = "active"
    disabled = "disabled"


MACHINE = Machine(
    name="user",
    start=UserState.uninvited,
    moves={
        "invite": (frozenset({UserState.uninvited, UserState.invited}), UserState.invited),
        "activate": (
            frozenset({UserState.uninvited, UserState.invited, UserState.disabled}),
            UserState.active,
        ),
        "disable": (
            frozenset({UserState.uninvited, UserState.invited, UserState.active}),
            UserState.disabled,
        ),
    },
)
