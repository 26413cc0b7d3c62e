"""S1 to S5: who shares an entry, and when a session's entries end."""

from __future__ import annotations

import pytest

import tenure
from tenure import ScopeError, _native
from tenure.testing import Clock
from world import Ledger, TestHost, releases, together

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_s1_one_global_entry_for_all_sessions_and_threads(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(lambda: ledger.build())

    def call(number: int) -> object:
        with host.serving(f"session {number}" if number else None):
            return thing()

    assert len({id(it) for it in together(8, call)}) == 1
    _native.end_session("session 1")
    assert call(2) is thing()
    assert ledger.released == []


def test_s2_one_entry_per_session(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda key: ledger.build(key))

    def call(session: str, key: int = 1) -> object:
        with host.serving(session):
            return thing(key)

    ada, bob = call("ada"), call("bob")
    assert ada is not bob
    assert call("ada") is ada
    # The same session on other threads.
    assert together(3, lambda _: call("bob")) == [bob] * 3


def test_s2_the_end_of_a_session_releases_what_is_its_own(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda key: ledger.build(key))
    other = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda: ledger.build("other"))
    everyones = tenure.cache_resource(on_release=ledger.release)(lambda: ledger.build("everyone's"))
    with host.serving("ada"):
        thing(1), thing(2), other(), everyones()
    with host.serving("bob"):
        bobs = thing(1)
    _native.end_session("ada")
    assert sorted(map(str, ledger.names())) == ["1", "2", "other"]
    assert releases(thing) == {"session_ended": 2}
    with host.serving("bob"):
        assert thing(1) is bobs
    # A new session of the same name is another one.
    with host.serving("ada"):
        assert thing(1).number == 5


def test_s2_clear_means_the_present_session(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    thing = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda key: ledger.build(key))
    with host.serving("bob"):
        bobs = thing(1)
    with host.serving("ada"):
        adas = thing(1)
        thing.clear()
        assert ledger.released == [adas]
        thing(2)
        thing.clear(2)
        assert ledger.names() == [1, 2]
    with host.serving("bob"):
        assert thing(1) is bobs
    tenure.cache_resource.clear()
    assert ledger.released[-1] is bobs


def test_s2_the_end_of_an_unknown_session_is_nothing(clock: Clock) -> None:
    _native.end_session("nobody")
    _native.resume_session("nobody")
    assert _native._inspect()["sessions"] == 0


@pytest.mark.parametrize("with_host", [False, True])
def test_s3_without_a_session_there_is_an_error_that_says_what_to_do(clock: Clock, with_host: bool) -> None:
    if with_host:
        _native.set_host(TestHost())

    @tenure.cache_resource(scope="session")
    def diary(key: int = 0) -> object:
        raise AssertionError("must not be built")

    for use in (diary, lambda: diary(1), diary.clear, lambda: diary.clear(1), lambda: diary.lease().__enter__()):
        with pytest.raises(ScopeError, match=r"diary.*session") as raised:
            use()
        assert isinstance(raised.value, RuntimeError)
        assert 'scope="global"' in str(raised.value)
    # Looking is allowed.
    assert diary.info().entries == 0


def test_s4_a_session_that_comes_back_in_time_finds_its_resources(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    tenure.configure(session_grace="30s")
    thing = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda: ledger.build())
    with host.serving("ada"):
        first = thing()
        _native.end_session("ada")
        clock.advance("29s")
        _native.resume_session("ada")
        assert thing() is first
        clock.advance("1h")
        assert thing() is first
        _native.end_session("ada")
        clock.advance("29s")
        assert ledger.released == []
        clock.advance("1s")
        assert ledger.released == [first]
    assert releases(thing) == {"session_ended": 1}
    assert _native._inspect()["jobs"] == 0


def test_s4_a_second_disconnect_does_not_prolong_the_grace(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    tenure.configure(session_grace="30s")
    thing = tenure.cache_resource(scope="session", on_release=ledger.release)(lambda: ledger.build())
    with host.serving("ada"):
        thing()
    _native.end_session("ada")
    clock.advance("20s")
    _native.end_session("ada")
    clock.advance("10s")
    assert len(ledger.released) == 1


def test_s4_expiry_goes_on_during_the_grace(clock: Clock, host: TestHost, ledger: Ledger) -> None:
    tenure.configure(session_grace="1h")
    thing = tenure.cache_resource(scope="session", ttl="1m", on_release=ledger.release)(lambda: ledger.build())
    with host.serving("ada"):
        thing()
    _native.end_session("ada")
    clock.advance("1m")
    assert releases(thing) == {"expired": 1}


def test_s5_the_end_of_a_session_touches_only_its_own(clock: Clock, host: TestHost) -> None:
    """Nothing of other sessions is looked at: their number shows in no count of what is released or kept."""
    released = []
    thing = tenure.cache_resource(scope="session", on_release=released.append)(lambda key: key)
    for session in range(1, 1001):
        with host.serving(f"session {session}"):
            thing(session), thing(-session)
    assert _native._inspect()["sessions"] == 1000
    for session in range(2, 1001, 2):
        _native.end_session(f"session {session}")
        assert released == [-session, session]
        released.clear()
    assert _native._inspect()["sessions"] == 500
    assert thing.info().entries == 1000
