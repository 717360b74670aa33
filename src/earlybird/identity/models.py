"""Users, what they are where, what each role may do, and how they are signed in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.identity.states import Role, SessionKind, UserState
from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref


class User(Table):
    """A login. `customer_id` is the one customer whose own login this is."""

    __tablename__ = "users"
    __table_args__ = (
        Index("users_email_key", "email", unique=True),
        CheckConstraint("email = lower(email)", name="email_lower"),
        one_of("state", UserState),
    )

    id: Mapped[Key]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(Text, index=True)
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
    """A one-time way in: only the SHA-256 of its token is kept."""

    __tablename__ = "sign_in_links"

    id: Mapped[Key]
    user_id: Mapped[UUID] = ref("users.id")
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None]


class LoginSession(Table):
    """Somebody signed in, by browser, app or script. Only the SHA-256 of a cookie is kept; a token names the row."""

    __tablename__ = "sessions"
    __table_args__ = (one_of("kind", SessionKind),)

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
