"""What identity refuses."""

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany


class SignInNeeded(Forbidden):
    """Sign in first."""

    kind = "nobody"


class TokenRefused(SignInNeeded):
    """That access token is not good here: it has expired, was revoked or was never ours."""


class WrongCredentials(SignInNeeded):
    """That name and that password do not belong together."""


class PasswordResetNeeded(SignInNeeded):
    """That password was given to everybody, so it opens no door: ask for a new one by e-mail or phone."""


class SecondFactorNeeded(SignInNeeded):
    """Give the six digits of your second factor as well."""


class SecondFactorWrong(SignInNeeded):
    """Those digits are wrong or were used already; take the next ones."""


class CodeWrong(SignInNeeded):
    """That code is wrong, was used or has expired; after five tries ask for a new one."""


class RefreshRefused(SignInNeeded):
    """That refresh token is not good here: it has expired, was revoked or was never ours."""


class RefreshReused(SignInNeeded):
    """That refresh token was used before, so its session is over; sign in again."""


class TooManyTries(TooMany):
    """Too many tries; wait as long as Retry-After says."""


class PasswordChangeNeeded(Forbidden):
    """Change the first password before anything else."""


class SecondFactorRequired(Forbidden):
    """An admin sets up a second factor before anything else."""


class NotGranted(Forbidden):
    """Your role may not do that."""


class NotByThis(Forbidden):
    """Only a person who signed in may do that, no key and no script."""


class NoRole(Forbidden):
    """That login holds no role; ask the owner for one."""


class LinkSpent(NotFound):
    """That sign-in link has been used, has expired or never was; ask for a new one."""


class NoSuchSession(NotFound):
    """There is no such session of yours, or it is over."""


class NoSuchUser(NotFound):
    """There is no user with that e-mail address or id."""


class NoSecondFactor(NotFound):
    """There is no second factor to confirm or remove."""


class NoSuchMembership(NotFound):
    """There is no such membership, or it has ended."""


class NoSuchKey(NotFound):
    """There is no such key, or it was revoked."""


class EmailTaken(Conflict):
    """Another login has that e-mail address."""


class HoldsAlready(Conflict):
    """They hold that role there already."""


class LastAdmin(Conflict):
    """There is no other admin: give somebody else the role first."""


class OwnLogin(Conflict):
    """A customer's own login stays theirs; disable it instead."""


class NotDisabled(Conflict):
    """That login is not disabled."""


class NotInvitable(Conflict):
    """An invitation needs a login that is not disabled, and an e-mail address or phone that somebody reads."""


class SecondFactorSet(Conflict):
    """A second factor is set up already; remove it before you set up another."""


class ChooseLogin(Conflict):
    """Several logins share that phone; say which one is meant by its id."""


class BadEmail(Invalid):
    """An e-mail address looks like name@example.com."""


class BadPhone(Invalid):
    """A phone number is written with its digits, as +91 98765 43210 or 9876543210."""


class WeakPassword(Invalid):
    """That password is too easy to guess."""


class LifeOutOfRange(Invalid):
    """An access token for a script lives from one minute to a day."""


class OwnerNeeded(Invalid):
    """A new business needs its first person: give --owner-email."""


class NoWayIn(Invalid):
    """A login has an e-mail address or a phone: something to sign in with."""


class PlaceNotFitting(Invalid):
    """Drivers, merchants and warehouse staff belong to a site, customers to a customer, all others to the business."""


class ActionsNotFitting(Invalid):
    """A key may do some of what its role may, and nothing else."""


class ExpiryPassed(Invalid):
    """A key ends in the future."""


class RoleUnknown(Invalid):
    """That is no role: admin, support, customer, driver, merchant, warehouse, marketing, supplier."""


class NotKnownHere(SignInNeeded):
    """Nobody here has that address; ask the owner for a login first."""


class ProviderRefused(SignInNeeded):
    """The provider's answer is not good here; start again."""


class NoProvider(NotFound):
    """No provider is set up to sign in with."""
