"""V2: the inspector as a page of an app: it lists what all functions and sessions have, and ends it when told to."""

from __future__ import annotations

import doctest
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stage

import tenure.streamlit
import tenure.testing
from tenure import _native

pytestmark = pytest.mark.streamlit


def script(read_only: bool = False, show_arguments: bool = False):
    import stage

    import tenure
    import tenure.streamlit

    @tenure.cache_resource(on_release=lambda it: stage.things["released"].append(f"pool {it[0]}"))
    def pool(key):
        return [key]

    @tenure.cache_resource(ttl="1 h", max_stale="1 h", on_release=lambda it: stage.things["released"].append("rates"))
    def rates(currency):
        return [currency]

    @tenure.cache_resource(scope="session")
    def basket():
        return []

    if not stage.things["is built"]:
        pool(1), pool(2), pool(2), rates("EUR"), basket()
        stage.things["is built"] = True
    stage.things["functions"] = {"pool": pool, "rates": rates, "basket": basket}
    tenure.streamlit.inspector(read_only=read_only, show_arguments=show_arguments)


@pytest.fixture
def page(app: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Opens the page of an app in a process where nothing else is cached."""

    def open_page(**options: Any) -> Any:
        stage.things.update({"released": [], "is built": False})
        opened = app(script, **{"read_only": False, "show_arguments": False, **options})
        opened.run()
        opened.fine()
        return opened

    with tenure.testing.isolated():
        yield open_page


def rows(page: Any, having: str) -> list[dict[str, Any]]:
    """The rows of the first table with a column of this name."""
    (table, *_) = [it.value for it in page.test.dataframe if having in it.value.columns]
    return table.to_dict("records")


def entries_of(function: str) -> int:
    return stage.things["functions"][function].info().entries


def choose(page: Any, what: str, which: str | None = None) -> None:
    page.run(lambda test: test.selectbox(key="tenure inspector: what").select(what))
    if which is not None:
        box = page.test.selectbox(key=f"tenure inspector: {what}")
        (index,) = [at for at, name in enumerate(box.options) if which in name]
        page.run(lambda test: test.selectbox(key=f"tenure inspector: {what}").select_index(index))
    page.fine()


def press(page: Any, how: str) -> None:
    page.run(lambda test: test.button(key=f"tenure inspector: {how}").click())
    page.fine()


def test_v2_a_page_lists_functions_entries_and_sessions(page: Callable[..., Any]) -> None:
    shown = page()
    functions = {it["Function"].rpartition(".")[2]: it for it in rows(shown, "Misses")}
    assert {name: it["Entries"] for name, it in functions.items()} == {"pool": 2, "rates": 1, "basket": 1}
    assert functions["pool"]["Hits"] == 1
    assert functions["basket"]["Scope"] == "session"
    entries = rows(shown, "State")
    assert sorted(it["Function"].rpartition(".")[2] for it in entries) == ["basket", "pool", "pool", "rates"]
    assert {it["State"] for it in entries} == {"live"}
    assert all(it["Age"] >= 0 and it["Build time"] >= 0 for it in entries)
    (basket,) = [it for it in entries if it["Scope"] == "session"]
    (session,) = rows(shown, "Oldest")
    assert session["Session"] == basket["Session"]
    assert len(basket["Session"]) == 8
    assert "Arguments" not in entries[0]
    # A second look has something to draw a line between; nobody has called or built meanwhile.
    assert [it.value for it in shown.test.caption].count("gathering…") == 3
    shown.run()
    shown.fine()
    assert [it.value for it in shown.test.caption].count("gathering…") == 2


def test_v2_a_page_clears_one_entry_a_function_and_all(page: Callable[..., Any]) -> None:
    shown = page()
    (second,) = [it["Entry"] for it in rows(shown, "State") if it["Hits"] == 1]
    choose(shown, "An entry", second)
    press(shown, "Clear")
    assert stage.things["released"] == ["pool 2"]
    assert (entries_of("pool"), entries_of("rates"), entries_of("basket")) == (1, 1, 1)
    choose(shown, "A function", "rates")
    press(shown, "Expire")
    assert stage.things["functions"]["rates"].info().stale == 1
    choose(shown, "A function", "rates")
    press(shown, "Clear")
    assert stage.things["released"] == ["pool 2", "rates"]
    choose(shown, "All")
    press(shown, "Clear")
    assert (entries_of("pool"), entries_of("basket")) == (0, 0)


def test_v2_nothing_is_ended_before_it_is_chosen_and_confirmed(page: Callable[..., Any]) -> None:
    shown = page()
    assert not shown.test.button
    choose(shown, "An entry", "rates")
    assert [it.label for it in shown.test.button] == ["Yes, clear", "Yes, expire"]
    assert (entries_of("pool"), entries_of("rates")) == (2, 1)
    assert stage.things["functions"]["rates"].info().stale == 0


def test_v2_what_is_chosen_stays_chosen_while_others_come_and_may_end_meanwhile(page: Callable[..., Any]) -> None:
    shown = page()
    choose(shown, "An entry", "rates")
    chosen = shown.test.selectbox(key="tenure inspector: An entry").value
    stage.things["functions"]["pool"](3)
    shown.run()
    assert shown.test.selectbox(key="tenure inspector: An entry").value == chosen
    # Its successor is another one.
    stage.things["functions"]["rates"].clear()
    stage.things["functions"]["rates"]("EUR")
    press(shown, "Clear")
    assert entries_of("rates") == 1
    assert "It had ended already." in [it.value for it in shown.test.caption]
    assert shown.test.selectbox(key="tenure inspector: An entry").value is None


def test_v2_a_page_that_only_shows_has_nothing_to_press(page: Callable[..., Any]) -> None:
    shown = page(read_only=True)
    assert len(rows(shown, "State")) == 4
    assert not shown.test.button
    assert not shown.test.selectbox


def test_v2_a_page_shows_arguments_where_it_is_told_to(page: Callable[..., Any]) -> None:
    try:
        page(show_arguments=True)
        stage.things["functions"]["pool"]("<script>alert(1)</script>")
        shown = page(show_arguments=True)
        arguments = [it["Arguments"] for it in rows(shown, "State")]
        # What was built before is not known any more.
        assert [it for it in arguments if isinstance(it, str) and it] == ["key='<script>alert(1)</script>'"]
    finally:
        _native.show_arguments(False)


def test_v2_its_example_runs() -> None:
    ran = doctest.testmod(tenure.streamlit)
    assert ran.failed == 0
    assert ran.attempted >= 3
