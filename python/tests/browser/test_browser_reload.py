"""F6: an app is edited while people look at it."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="pip install playwright")


@pytest.fixture
def app(serve):
    """A server that runs an app again as soon as it is saved."""
    return serve("reload", server_fileWatcherType="poll", server_runOnSave="true")


def test_f6_an_edited_function_builds_anew_and_the_rest_stays(app):
    """F6, F3, L1: new code runs in every session; the old resource is released once, and no other."""
    ann, ben = app.tab().ran(1), app.tab().ran(1)
    old, tank = ann.told("pump"), ann.told("tank")
    assert ben.told("pump") == old

    app.edit("app.py", "litres=1", "litres=2")
    for one in (ann, ben):
        one.ran(2)
        assert one.told("pump").endswith(" 2")
        assert one.told("tank") == tank
    assert ann.told("pump") == ben.told("pump")
    app.wait_for("released", kind="pump")
    first, second = app.objects("built", "pump")
    assert app.objects("released", "pump") == [first]
    assert second in ann.told("pump")
    assert len(app.objects("built", "tank")) == 1
    assert app.objects("released", "tank") == []


def test_f6_changed_settings_begin_a_new_cache(app):
    """F6: a `ttl` that is added in the source; then taken away again."""
    ann = app.tab().ran(1)
    first = ann.told("tank")
    decorated = "@st.cache_resource({}on_release=book.released)\ndef tank"
    app.edit("app.py", decorated.format(""), decorated.format('ttl="1h", '))
    second = ann.ran(2).told("tank")
    assert second != first
    app.wait_for("released", name=first)
    app.edit("app.py", decorated.format('ttl="1h", '), decorated.format(""))
    third = ann.ran(3).told("tank")
    app.wait_for("released", name=second)
    assert len({first, second, third}) == 3
    assert app.objects("released", "tank") == [first, second]
    assert app.objects("released", "pump") == []


def test_f6_instances_follow_the_class_of_a_reloaded_module(app):
    """F6, L1: a module is edited and loaded anew; `isinstance` holds, new code runs, the old ones are released."""
    ann, ben = app.tab().ran(1), app.tab().ran(1)
    assert ann.told("valve") == ben.told("valve")
    assert ann.told("valve").endswith(" red True")

    app.edit("parts.py", '"red"', '"green"')
    for one in (ann, ben):
        assert " green " in one.ran(2).told("valve")
    # Each session's run loads the module once more, and with it the class: two that overlap may meet each other's.
    for one in (ann, ben):
        assert one.press("Run again").ran(3).told("valve").endswith(" green True")
    assert ann.told("valve") == ben.told("valve")
    last = app.objects("built", "valve")[-1]
    assert last in ben.told("valve") or last in ann.told("valve")
    for name in app.objects("built", "valve")[:-1]:
        app.wait_for("released", name=name)
    assert len(set(app.objects("released", "valve"))) == len(app.objects("released", "valve"))
    assert app.objects("released", "tank") == []

    app.terminate()
    for kind in ("pump", "tank", "valve"):
        assert sorted(app.objects("built", kind)) == sorted(app.objects("released", kind))
