"""What identity refuses."""

from earlybird.kernel.errors import Forbidden, Invalid, NotFound


class SignInNeeded(Forbidden):
    """Sign in first."""

    kind = "nobody"


class TokenRefused(SignInNeeded):
    """That access token is not good here: it has expired, was revoked or was never ours."""


class PasswordChangeNeeded(Forbidden):
    """Change the first password before anything else."""


class NotGranted(Forbidden):
    """Your role may not do that."""


class LinkSpent(NotFound):
    """That sign-in link has been used, has expired or never was; ask for a new one."""


class BadEmail(Invalid):
    """An e-mail address looks like name@example.com."""


class OwnerNeeded(Invalid):
    """A new business needs its first person: give --owner-email."""
