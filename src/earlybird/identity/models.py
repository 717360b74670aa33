"""Users, what they are where, what each role may do, and how they are signed in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.identity.states import Method, Purpose, Role, SessionKind, ThrottleKind, UserState
from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref


class User(Table):
    """A login. `customer_id` is the one customer whose own login this is."""

    __tablename__ = "users"
    __table_args__ = (
        Index("users_email_key", "email", unique=True),
        CheckConstraint("email = lower(email)", name="email_lower"),
        Index("users_phone_digits_idx", text("right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)")),
        one_of("state", UserState),
    )

    id: Mapped[Key]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(Text, index=True)
    language: Mapped[str] = mapped_column(Text, server_default="en")
    password_hash: Mapped[str | None]
    must_change_password: Mapped[bool] = mapped_column(Boolean, server_default="false")
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", use_alter=True), unique=True)
    state: Mapped[str] = mapped_column(Text, server_default=UserState.uninvited)
    state_at: Mapped[Now]
    created_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class UserKey(Table):
    """How another system names a user: an id, a hex id, a former e-mail."""

    __tablename__ = "user_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[UUID] = ref("users.id")


class Membership(Table):
    """A role somebody holds, at a site or for a customer, until it ends."""

    __tablename__ = "memberships"
    __table_args__ = (
        Index(
            "memberships_current_key",
            "user_id",
            "role",
            "site_id",
            "customer_id",
            unique=True,
            postgresql_where="ended_at IS NULL",
            postgresql_nulls_not_distinct=True,
        ),
        one_of("role", Role),
    )

    id: Mapped[Key]
    user_id: Mapped[UUID] = ref("users.id")
    role: Mapped[str]
    site_id: Mapped[UUID | None] = ref("sites.id")
    customer_id: Mapped[UUID | None] = ref("customers.id")
    created_at: Mapped[Now]
    ended_at: Mapped[datetime | None]


class Grant(Table):
    """One cell of the access table: this role may do this action within this scope."""

    __tablename__ = "grants"
    __table_args__ = (one_of("role", Role),)

    role: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text, primary_key=True)
    scope: Mapped[str]


class SignInLink(Table):
    """A one-time way in, or to a new password: only the SHA-256 of its token is kept."""

    __tablename__ = "sign_in_links"
    __table_args__ = (one_of("purpose", Purpose),)

    id: Mapped[Key]
    user_id: Mapped[UUID] = ref("users.id")
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None]
    purpose: Mapped[str] = mapped_column(Text, server_default=Purpose.sign_in)


class LoginSession(Table):
    """Somebody signed in, by browser, app or script. Only the SHA-256 of a cookie is kept; a token names the row."""

    __tablename__ = "sessions"
    __table_args__ = (one_of("kind", SessionKind), one_of("method", Method))

    id: Mapped[Key]
    user_id: Mapped[UUID] = ref("users.id")
    kind: Mapped[str] = mapped_column(Text, server_default=SessionKind.browser)
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    address: Mapped[str | None]
    device: Mapped[str | None]
    method: Mapped[str] = mapped_column(Text, server_default=Method.link)


class RefreshToken(Table):
    """One link of a session's chain of refresh tokens. A spent one that comes again ends the session."""

    __tablename__ = "refresh_tokens"

    id: Mapped[Key]
    session_id: Mapped[UUID] = ref("sessions.id")
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    issued_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None]


class ApiKey(Table):
    """A machine's way in: one role, the actions it may do of those its role may, perhaps one site or customer."""

    __tablename__ = "api_keys"
    __table_args__ = (one_of("role", Role),)

    id: Mapped[Key]
    name: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[str] = mapped_column(Text, unique=True)
    role: Mapped[str]
    actions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    site_id: Mapped[UUID | None] = ref("sites.id")
    customer_id: Mapped[UUID | None] = ref("customers.id")
    created_at: Mapped[Instant]
    created_by_id: Mapped[UUID | None] = ref("users.id")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class OneTimeCode(Table):
    """Six digits sent to a phone, good for five minutes and five tries; only their keyed fingerprint is kept."""

    __tablename__ = "one_time_codes"
    __table_args__ = (one_of("purpose", Purpose),)

    id: Mapped[Key]
    phone: Mapped[str] = mapped_column(Text, index=True)
    purpose: Mapped[str]
    code_mac: Mapped[str]
    requested_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    used_at: Mapped[datetime | None]


class SecondFactor(Table):
    """What makes a login's second factor (RFC 6238): the sealed secret, and the last step that was spent."""

    __tablename__ = "second_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")


class RecoveryCode(Table):
    """A way past a lost second factor, once: only its keyed fingerprint is kept."""

    __tablename__ = "recovery_codes"

    id: Mapped[Key]
    user_id: Mapped[UUID] = ref("users.id")
    code_mac: Mapped[str] = mapped_column(Text, unique=True)
    used_at: Mapped[datetime | None]


class Throttle(Table):
    """How often somebody was refused lately, and until when the next try waits; names are kept as fingerprints."""

    __tablename__ = "sign_in_throttles"
    __table_args__ = (one_of("kind", ThrottleKind), Index(None, "kind", "last_at"))

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str]
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    since_at: Mapped[Instant]
    last_at: Mapped[Instant]
    blocked_until: Mapped[datetime | None]
