"""The grants table and the page made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from earlybird.identity import rules
from earlybird.identity.errors import BadEmail
from earlybird.identity.states import Role

ROOT = Path(__file__).parent.parent.parent


def test_the_access_page_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    assert rules.table() in page


def test_every_action_is_a_slice_and_a_verb_and_the_admin_may_do_all() -> None:
    actions = [action for action, _ in rules.GRANTS]
    assert len(set(actions)) == len(actions)
    for action, by_role in rules.GRANTS:
        assert len(action.split(".")) == 2, action
        if action == "link.see":  # for holders of links alone, who have no role
            assert by_role == {}
            continue
        assert by_role[Role.admin] is (rules.Scope.own if action.startswith("me.") else rules.Scope.all), action


@pytest.mark.parametrize("text", ["", "asha", "asha@", "@example.com", "a b@example.com", "asha@example"])
def test_what_cannot_be_an_address_is_refused(text: str) -> None:
    with pytest.raises(BadEmail, match="email"):
        rules.email(text)


def test_an_address_is_kept_in_lower_case() -> None:
    assert rules.email(" Asha@Example.COM ") == "asha@example.com"
