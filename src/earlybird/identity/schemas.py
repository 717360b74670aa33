"""What people and apps send to sign in, and what they get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from earlybird.identity.rules import ROLE_ALIASES
from earlybird.identity.states import Method, Purpose, Role, SessionKind, UserState
from earlybird.infra.shapes import AROUND, BLANK, ONE_LINE, TRIMMED, Moment, Strict, unsent

SIGNS = rf"[^@{BLANK}]+"
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=rf"^{AROUND}{SIGNS}@{SIGNS}\.{SIGNS}{AROUND}$"),
    TRIMMED,
    Field(examples=["asha@example.com"]),
]
Phone = Annotated[
    str,
    StringConstraints(pattern=rf"^{AROUND}\+?[0-9][0-9 ()-]{{5,24}}{AROUND}$"),
    TRIMMED,
    Field(examples=["+91 98765 43210"]),
]
Password = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$"),
    Field(examples=["seven green kettles sing"], json_schema_extra={"format": "password", "writeOnly": True}),
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=8, max_length=256, pattern=r"^[^\x00]*$"),
    Field(examples=["seven green kettles sing"], json_schema_extra={"format": "password", "writeOnly": True}),
]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(examples=["314159"])]
Otp = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z ]{6,20}$"),
    Field(examples=["271828"], description="The second factor's six digits, or a recovery code."),
]
Secret = Annotated[str, StringConstraints(min_length=20, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _either(*names: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [name]} for name in names]}


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


ABSENT: Any = Field(default=None, json_schema_extra=_no_default)
"""A field that may be left out, but not be null: which of several is there says what is meant."""


class _ByName(_In):
    email: Email = ABSENT
    phone: Phone = ABSENT

    @model_validator(mode="after")
    def _one_name(self) -> _ByName:
        if (self.email is None) == (self.phone is None):
            raise ValueError("give an e-mail address or a phone number, one of them")
        return self


class LoginIn(_ByName):
    """E-mail address (or the phone number of one login alone) and password."""

    model_config = ConfigDict(
        json_schema_extra=_either("email", "phone")
        | {"examples": [{"email": "asha@example.com", "password": "seven green kettles sing"}]}
    )

    password: Password
    otp: Otp | None = None


class RefreshIn(_In):
    """The refresh token of the answer before; it works once."""

    refresh_token: Secret = Field(examples=["q3Vf0m3Xw0n4mQXl2o2yq1bJ8m7m4v6cVtq0xw9Yk5E"])


class CodeRequest(_In):
    """Where a one-time code is to be sent, and what for."""

    phone: Phone
    purpose: Literal[Purpose.sign_in, Purpose.reset] = Purpose.sign_in


class CodeIn(_In):
    """The code that came to the phone; `user_id` where several logins share it."""

    phone: Phone
    code: Digits
    user_id: UUID | None = None
    otp: Otp | None = None


class PasswordIn(_In):
    """A new password, and the old one where there is one."""

    password: NewPassword
    current_password: Password | None = None


class ResetRequest(_ByName):
    """Where the way to a new password is to be sent."""

    model_config = ConfigDict(
        json_schema_extra=_either("email", "phone") | {"examples": [{"email": "asha@example.com"}]}
    )


class ResetIn(_In):
    """A new password with what proves who asks: the link's token, or phone and code."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["token"], "not": {"anyOf": [{"required": ["phone"]}, {"required": ["code"]}]}},
                {"required": ["phone", "code"], "not": {"required": ["token"]}},
            ],
            "examples": [{"phone": "+91 98765 43210", "code": "314159", "password": "seven green kettles sing"}],
        }
    )

    password: NewPassword
    token: Secret = ABSENT
    phone: Phone = ABSENT
    code: Digits = ABSENT
    user_id: UUID | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> ResetIn:
        by_code = self.phone is not None and self.code is not None
        if by_code == (self.token is not None) or (self.token is not None and (self.phone or self.code)):
            raise ValueError("give the token of a link, or phone and code, one of them")
        return self


class FactorCode(_In):
    """Six digits of the authenticator app, or a recovery code."""

    code: Otp


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UserOut(_Out):
    """Who signed in. `customer_v2_id` is the customer whose own login this is, under the name legacy clients read."""

    id: UUID
    name: str = Field(examples=["Asha"])
    email: str | None = Field(examples=["asha@example.com"])
    role: Role
    roles: list[Role]
    customer_v2_id: UUID | None


class TokensOut(_Out):
    """An access token for ten minutes, and the refresh token that brings the next one, once."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # the name of a scheme
    expires_in: int = Field(description="Seconds.", examples=[600])
    refresh_token: str
    must_change_password: bool = Field(description="True: this session can change the password or sign out, no more.")
    user: UserOut


class SentOut(_Out):
    """What can be said to anybody: whether somebody has that address is not."""

    detail: str = Field(examples=["If a login has that phone, a code is on its way."])
    expires_in: int = Field(description="Seconds.", examples=[300])


class EnrolmentOut(_Out):
    """What an authenticator app reads, shown once."""

    secret: str
    uri: str


class RecoveryOut(_Out):
    """Ten ways past a lost second factor, each good once, shown once."""

    recovery_codes: list[str]


class SessionOut(_Out):
    """Where somebody is signed in."""

    id: UUID
    kind: SessionKind
    method: Method
    created_at: datetime
    expires_at: datetime
    address: str | None
    device: str | None
    is_current: bool


ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE),
    TRIMMED,
]
Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"),
    Field(description="A tag of BCP 47.", examples=["te"]),
]


def _role(given: Any) -> Any:
    return ROLE_ALIASES.get(given, given) if isinstance(given, str) else given


AnyRole = Annotated[
    Role,
    BeforeValidator(_role),
    WithJsonSchema({"type": "string", "enum": [*Role, *ROLE_ALIASES], "examples": ["support"]}, mode="validation"),
    Field(description="What they are; delivery_boy and marketing_staff are understood.", examples=["support"]),
]


class MembershipIn(Strict):
    """A role: drivers, merchants and warehouse staff at a site, customers for a customer, others for the business."""

    role: AnyRole
    site_id: UUID | None = Field(None, description="Not needed where there is one depot.", examples=[None])
    customer_id: UUID | None = Field(None, examples=[None])


class PersonIn(MembershipIn):
    """A new login with its first role: e-mail or phone is needed."""

    name: Name = Field(examples=["Prakash"])
    email: Email | None = None
    phone: Phone | None = None
    language: Language = "en"

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Prakash", "role": "support", "email": "prakash@example.com"}]}
    )


class PersonChange(Strict):
    """What becomes different; what is not sent stays, null takes an e-mail or phone away."""

    name: Name = Field(default_factory=unsent, examples=["Prakash K"])
    email: Email | None = None
    phone: Phone | None = None
    language: Language = Field(default_factory=unsent)

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Prakash K"}]})


class WhyIn(Strict):
    """Why."""

    reason: Name | None = Field(None, examples=["Left the business"])


class MembershipOut(_Out):
    """A role somebody holds."""

    id: UUID = Field(examples=[ID])
    role: Role
    site_id: UUID | None
    customer_id: UUID | None
    created_at: datetime = Field(examples=[AT])


class PersonOut(_Out):
    """A login, and what it is where."""

    id: UUID = Field(examples=[ID])
    name: str
    email: str | None
    phone: str | None
    language: str
    state: UserState
    customer_id: UUID | None = Field(description="The customer whose own login this is.")
    must_change_password: bool
    has_second_factor: bool
    created_at: datetime = Field(examples=[AT])
    memberships: list[MembershipOut]


class KeyIn(Strict):
    """A key for a machine: a role, and which of the role's actions it may do."""

    name: Name = Field(examples=["Book-keeping"])
    role: AnyRole
    actions: list[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]] = Field(
        min_length=1, max_length=200, examples=[["billing.read"]]
    )
    site_id: UUID | None = Field(None, description="For a role at a site.", examples=[None])
    customer_id: UUID | None = Field(None, description="For the role customer.", examples=[None])
    expires_at: Moment | None = Field(
        None, description="When it ends; never where none is given.", examples=["2027-01-15T12:00:00Z"]
    )


class KeyOut(_Out):
    """A key's facts; the key itself was shown once."""

    id: UUID = Field(examples=[ID])
    name: str
    prefix: str = Field(description="How the key begins.", examples=["ebk_3kd83jd0"])
    role: Role
    actions: list[str]
    site_id: UUID | None
    customer_id: UUID | None
    created_at: datetime = Field(examples=[AT])
    created_by_id: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    """A new key: this answer is the only one that holds it."""

    key: str = Field(description="Send it as Authorization: Bearer.")
