"""What holds in every scope and under every host. The internals are checked after each test: see `conftest.py`."""

from __future__ import annotations

import random
import threading

import pytest

import tenure
from conftest import Place
from tenure import CacheCycleError, _native
from world import Job, await_waiting, releases, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def plain(place: Place, which: str = "thing", **settings: object) -> object:
    """A function; another one for another `which`, since equal ones would be one."""

    @place.cache(**settings)
    def thing(key: object = 0) -> object:
        assert which
        return place.build(key)

    return thing


def elsewhere(place: Place, work: object) -> Job:
    def run() -> object:
        with place.serving():
            return work()

    return Job(run)


def test_k3_a_hit_is_the_same_resource_however_it_is_asked_for(place: Place) -> None:
    thing = plain(place)
    first = thing()
    assert thing(0) is thing(key=0) is first
    assert thing(1) is not first
    info = thing.info()
    assert (info.hits, info.misses, info.builds, info.entries) == (2, 2, 2, 2)


def test_c1_one_build_for_all_who_ask(place: Place) -> None:
    @place.cache()
    def thing() -> object:
        await_waiting(thing, 7)
        return place.build()

    def ask(_: int) -> object:
        with place.serving():
            return thing()

    assert len(set(map(id, together(8, ask)))) == 1


def test_c2_a_failure_for_all_who_waited_and_none_is_kept(place: Place) -> None:
    runs = []

    @place.cache()
    def thing() -> object:
        runs.append(None)
        if len(runs) == 1:
            await_waiting(thing, 3)
        raise OSError(len(runs))

    errors = [elsewhere(place, thing) for _ in range(4)]
    assert [str(job.error()) for job in errors] == ["1"] * 4
    with pytest.raises(OSError, match="2"):
        thing()
    assert thing.info().failures == 2


def test_c3_a_circle(place: Place) -> None:
    @place.cache()
    def hen() -> object:
        return egg()

    @place.cache()
    def egg() -> object:
        return hen()

    for _ in range(2):
        with pytest.raises(CacheCycleError):
            egg()


def test_c4_a_build_that_dies_hands_on(place: Place) -> None:
    runs = []
    began = threading.Event()

    @place.cache()
    def thing() -> object:
        runs.append(None)
        if len(runs) == 1:
            began.set()
            await_waiting(thing, 2)
            raise SystemExit
        return place.build()

    first = elsewhere(place, thing)
    wait(began)
    others = [elsewhere(place, thing) for _ in range(2)]
    assert isinstance(first.error(), SystemExit)
    assert others[0].result() is others[1].result()


def test_l1_clears(place: Place) -> None:
    thing, other = plain(place), plain(place, "other")
    for key in range(4):
        thing(key)
    other()
    thing.clear(2)
    thing.clear(key=2)
    assert place.names() == [2]
    thing.clear()
    assert place.names() == [2, 3, 1, 0]
    assert other.info().entries == 1
    tenure.cache_resource.clear()
    assert releases(thing) == {"cleared": 4}


def test_l2_callbacks_that_call_back(place: Place) -> None:
    other = plain(place)

    def release(note: object) -> None:
        other(note.thing.name)
        thing.clear(99)
        place.release(note)

    def validate(note: object) -> bool:
        other()
        return note.number % 3 != 0

    @place.cache(on_release=release, validate=validate, max_entries=2, ttl="1m")
    def thing(key: object) -> object:
        other(key)
        return place.build(key)

    for key in range(5):
        thing(key % 3)
    place.clock.advance("1m")
    assert thing.info().entries == 0


def test_l3_a_release_that_raises(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    def release(note: object) -> None:
        place.release(note)
        raise OSError("no")

    thing = plain(place, on_release=release)
    thing()
    thing.clear()
    assert thing.info().release_failures == 1
    assert len(caplog.records) == 1


def test_l4_expiry(place: Place) -> None:
    thing = plain(place, ttl="1m")
    first = thing(1)
    place.clock.advance("30s")
    thing(2)
    assert thing(1) is first
    place.clock.advance("30s")
    assert place.names() == [1]
    assert thing(1) is not first
    assert thing.info().ages == sorted(thing.info().ages, reverse=True)


def test_l5_drains_and_leases(place: Place) -> None:
    thing = plain(place, drain="10s")
    kept = thing(1)
    with thing.lease(2) as leased:
        number = leased.number
        del leased
        thing.clear()
        place.check()
        place.clock.advance("5s")
        assert place.names() == []
    place.clock.advance("1s")
    assert place.names() == [2]
    assert number == 1
    place.clock.advance("5s")
    assert place.names() == [2, 1]
    assert not kept.is_open


def test_l6_shutdown_in_the_order_of_building_and_back(place: Place) -> None:
    thing, other = plain(place), plain(place, drain="1h")
    thing(1)
    kept = other(2)
    thing(3)
    other.clear()
    thing(4)
    assert _native.shutdown()
    assert place.names() == [4, 3, 2, 1]
    assert not kept.is_open
    # It goes on, if it has to.
    assert thing(1).number == 4


def test_l8_an_orphan(place: Place) -> None:
    began, go_on = threading.Event(), threading.Event()

    @place.cache()
    def thing() -> object:
        note = place.build()
        if note.number == 0:
            began.set()
            wait(go_on)
        return note

    builder = elsewhere(place, thing)
    wait(began)
    thing.clear()
    newer = thing()
    go_on.set()
    orphan = builder.result()
    assert thing() is newer is not orphan
    place.clock.advance("1h")
    assert orphan.is_open
    del orphan, builder
    place.clock.advance("1s")
    assert releases(thing) == {"orphaned": 1}


def test_l9_validation(place: Place) -> None:
    bad = set()
    thing = plain(place, validate=lambda note: note.number not in bad)
    first = thing()
    assert thing() is first
    bad.add(0)
    assert thing().number == 1
    assert releases(thing) == {"invalid": 1}


def test_l10_the_oldest_goes(place: Place) -> None:
    thing = plain(place, max_entries=2)
    for key in (1, 2, 1, 3, 4):
        thing(key)
    assert place.names() == [1, 2]
    assert thing.info().entries == 2


def test_h4_a_hit_puts_out_again_what_the_build_put_out(place: Place) -> None:
    thing = plain(place)
    thing()
    thing()
    if place.host is None:
        return
    assert len(place.host.noted("begin")) == 1
    assert place.host.noted("end") == [True]
    recorded = type(place.host).__name__ == "Recorded"
    assert place.host.noted("replay") == ([["thing"]] if recorded else [])


@pytest.mark.parametrize("seed", range(4))
def test_l1_at_random(place: Place, seed: int) -> None:
    """Random calls, clears, failures, checks and time steps on several threads."""
    bad: set[int] = set()
    dice = random.Random(seed)

    def build(key: int) -> object:
        if key == 5:
            raise OSError("as always")
        return place.build(key)

    def make(**settings: object) -> object:
        return place.cache(validate=lambda note: note.number not in bad, **settings)(lambda key: build(key))

    functions = [make(), make(max_entries=2), make(ttl="3s"), make(max_entries=3, ttl="5s", drain="2s")]

    def work(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        mine: list[object] = []
        with place.serving():
            for _ in range(150):
                thing, key = dice.choice(functions), dice.randrange(6)
                match dice.randrange(16):
                    case 0:
                        thing.clear()
                    case 1 | 2:
                        thing.clear(key)
                    case 3:
                        place.clock.advance(dice.random() * 4)
                    case 4:
                        bad.add(dice.randrange(len(place.ledger.built) + 1))
                    case 5:
                        mine.clear()
                    case 6 if key < 5:
                        with thing.lease(key):
                            thing.clear(key)
                    case _ if key == 5:
                        with pytest.raises(OSError, match="as always"):
                            thing(key)
                    case _:
                        mine.append(thing(key))

    together(5, work)
    if dice.random() < 0.5:
        _native.end_session("ada")
