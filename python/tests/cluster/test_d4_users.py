"""D4: who has the resource of an actor, as the actor counts them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tenure.cluster import _ray
from tenure.cluster._keeper import BlockingKeeper


class Quiet(BlockingKeeper):
    """An actor outside a cluster, which never ends itself."""

    def _live(self) -> None:
        pass


class Watch:
    """A reference that a user watches."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.over: Future[None] = Future()

    def hex(self) -> str:
        return self.user

    def future(self) -> Future[None]:
        return self.over


class Ray:
    """So much of Ray as an actor asks when it is made."""

    current_actor = None

    def get_runtime_context(self) -> Any:
        return self


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    monkeypatch.setattr(_ray, "imported", Ray)
    return Quiet(b"")


def test_d4_a_user_who_came_back_meanwhile_is_not_left(keeper: Quiet) -> None:
    """A clear and the next call of one program are on their way together, and either may be there first."""
    ada = Watch("ada")
    keeper._attach(ada, 1)
    keeper._attach(ada, 2)
    assert keeper._ended_for("clear", "ada", None, 1) is False
    assert keeper._staying == {"ada"}
    assert keeper._ended_for("clear", "ada", None, 2) is True
    assert keeper._staying == set()
    assert keeper._near == {"ada"}
    # What is late says nothing of the time after it either.
    keeper._attach(ada, 3)
    assert keeper._ended_for("clear", "ada", None, 2) is False
    assert keeper._staying == {"ada"}


def test_d4_a_user_who_is_gone_is_left_however_often_it_came(keeper: Quiet) -> None:
    ada, bob = Watch("ada"), Watch("bob")
    keeper._attach(ada, 5)
    keeper._attach(bob, 1)
    ada.over.set_exception(OSError("its owner died"))
    assert (keeper._staying, keeper._near) == ({"bob"}, {"bob"})
    assert keeper._ended_for("leave", "bob", None, 1) is True
    assert (keeper._staying, keeper._near) == (set(), set())
