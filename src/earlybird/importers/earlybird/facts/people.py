"""Facts of people and places: accounts, customers, delivery boys, areas, addresses, the business itself."""

from __future__ import annotations

from typing import Final

from earlybird.importers.earlybird import reading
from earlybird.importers.earlybird.facts.secrets import password_facts
from earlybird.importers.earlybird.facts.sheet import Sheet, decimal_text, reference_text
from earlybird.importers.earlybird.reading import Problem

_ROLES: Final = {
    "delivery_boy": "driver",
    "marketing_staff": "marketing",
    "manager": "support",
    "delivery_manager": "support",
    "supervisor": "support",
    "delivery_ops": "support",
}
_CUSTOMER_STATUSES: Final = ("trial", "active", "paused", "stopped")


def user(sheet: Sheet) -> None:
    """Read a login: who, as what, whose, and what of the password may be kept."""
    body = sheet.body
    sheet.email("email", "email")
    sheet.phone("phone", "phone")
    sheet.text("name", "name")
    sheet.text("role_as_given", "role")
    role = sheet.take(reading.fold_role(body.get("role")))
    if role is not None:
        sheet.facts["role"] = _ROLES.get(role, role)
    sheet.flag("active", "is_active")
    sheet.reference("customer", "customer_v2_id")
    sheet.facts["password"] = password_facts(body)
    sheet.instant("created_at", "created_at")


def customer(sheet: Sheet) -> None:
    """Read a household: how to reach it, where it is, what it pays, what it owed at the start."""
    body = sheet.body
    sheet.reference("user", "user_id")
    sheet.text("name", "name")
    sheet.phone("phone", "phone")
    sheet.keep("phone_as_given", (reading.read_text(body.get("phone"), "phone")[0], None))
    sheet.email("email", "email")
    sheet.text("address", "address")
    sheet.text("area", "area")
    status(sheet, _CUSTOMER_STATUSES)
    sheet.day("trial_from", "trial_start_date")
    sheet.text("notes", "notes")
    sheet.text("instructions", "delivery_instructions")
    sheet.text("map_url", "map_link")
    where = body.get("location")
    if isinstance(where, dict):
        sheet.place(where.get("lat", where.get("latitude")), where.get("lng", where.get("longitude")), "location")
    if "latitude" not in sheet.facts:
        sheet.place(body.get("latitude"), body.get("longitude"), "latitude")
    sheet.reference("driver", "delivery_boy_id")
    sheet.money("balance_minor", "previous_balance")
    _prices(sheet)
    sheet.instant("created_at", "created_at")
    if "created_at" in sheet.facts:
        sheet.keep("created_on", (_iso_day(sheet), None))
    sheet.text("pincode", "pincode")
    sheet.text("city", "city")
    sheet.facts["billable"] = body.get("status") in ("active", "trial")


def _iso_day(sheet: Sheet) -> str | None:
    day, _ = reading.read_date(sheet.body.get("created_at"), "created_at")
    return None if day is None else day.isoformat()


def status(sheet: Sheet, known: tuple[str, ...]) -> None:
    """Write a status without regard to case, blanks and hyphens; an unknown one is a problem, too."""
    value = sheet.body.get("status")
    word = reading.folded_word(value)
    if word:
        sheet.facts["status"] = word
    if word not in known and not reading.is_missing(value) and value != "":
        sheet.problems.append(Problem("status", "status", value))


def _prices(sheet: Sheet) -> None:
    custom = sheet.body.get("custom_product_prices")
    if not isinstance(custom, dict):
        return
    own = {key: decimal_text(price) for key, price in reading.read_custom_prices(custom).items()}
    # The old bill takes the entry of a product as it stands: unreadable and zero are zero.
    legacy = {}
    for key, value in custom.items():
        rupees = sheet.take(reading.read_rupees(value, "custom_product_prices"))
        legacy[key] = "0" if rupees is None else decimal_text(rupees)
    if own:
        sheet.facts["prices"] = own
    if legacy:
        sheet.facts["legacy_prices"] = legacy


def area(sheet: Sheet) -> None:
    """Read an area: its full name, pincode, and the boys who stand on it."""
    body = sheet.body
    sheet.text("name", "full_name")
    if "name" not in sheet.facts:
        parts = [sheet.take(reading.read_text(body.get(field), field)) for field in ("main_area", "sub_area")]
        name = " - ".join(part for part in parts if part)
        if name:
            sheet.facts["name"] = name
    sheet.text("pincode", "pincode")
    sheet.facts["drivers"] = _references(body.get("delivery_boy_ids"))


def _references(value: object) -> list[str]:
    found = (reference_text(entry) for entry in value) if isinstance(value, list) else ()
    return [key for key in found if key]


def driver(sheet: Sheet) -> None:
    """Read a delivery boy."""
    body = sheet.body
    sheet.text("name", "name")
    sheet.phone("phone", "phone")
    sheet.email("email", "email")
    sheet.keep("shift", reading.fold_shift(body.get("shift")))
    sheet.text("area", "area_assigned")
    areas = body.get("assigned_areas")
    if isinstance(areas, list):
        found = [sheet.take(reading.read_text(entry, "assigned_areas")) for entry in areas]
        sheet.facts["areas"] = [name for name in found if name]
    sheet.flag("active", "is_active")


def address(sheet: Sheet) -> None:
    """Read an address of a login."""
    body = sheet.body
    sheet.reference("user", "user_id")
    sheet.text("label", "label")
    sheet.text("line1", "address_line1")
    more = [sheet.take(reading.read_text(body.get(field), field)) for field in ("address_line2", "landmark")]
    line2 = ", ".join(part for part in more if part)
    if line2:
        sheet.facts["line2"] = line2
    sheet.text("city", "city")
    sheet.text("region", "state")
    sheet.text("postal_code", "pincode")
    sheet.place(body.get("latitude"), body.get("longitude"), "latitude")
    sheet.flag("is_default", "is_default")


def settings(sheet: Sheet) -> None:
    """Read what the business calls itself."""
    sheet.text("name", "business_name")
    sheet.phone("phone", "business_phone")
    sheet.text("upi", "upi_id")
