"""C3: a function that needs its own entry raises an error that names the chain; nothing hangs."""

from __future__ import annotations

import random
import re
import threading

import pytest

import tenure
from tenure import CacheCycleError
from tenure.testing import Clock
from world import Job, Ledger, together, wait

pytestmark = pytest.mark.filterwarnings("ignore:.*told apart by its identity")


def test_c3_a_function_that_needs_itself(clock: Clock) -> None:
    @tenure.cache_resource
    def hen() -> object:
        return hen()

    with pytest.raises(CacheCycleError, match=r"hen.*hen") as raised:
        hen()
    assert isinstance(raised.value, RuntimeError)
    assert hen.info().entries == 0
    # Nothing is poisoned: the next call says the same.
    with pytest.raises(CacheCycleError):
        hen()


def test_c3_two_functions_that_need_each_other(clock: Clock) -> None:
    @tenure.cache_resource
    def hen() -> object:
        return egg()

    @tenure.cache_resource
    def egg() -> object:
        return hen()

    with pytest.raises(CacheCycleError) as raised:
        hen()
    chain = re.findall(r"hen|egg", str(raised.value).partition(":")[2])
    assert chain in (["hen", "egg", "hen"], ["egg", "hen", "egg"])


def test_c3_another_key_is_no_cycle(clock: Clock) -> None:
    @tenure.cache_resource
    def factorial(n: int) -> int:
        return n * factorial(n - 1) if n else 1

    assert factorial(20) == 2432902008176640000
    assert factorial.info().builds == 21


def test_c3_a_cycle_across_threads(clock: Clock) -> None:
    """Each thread builds one and needs the other's: whoever comes last is told."""
    both = threading.Barrier(2)

    @tenure.cache_resource
    def hen() -> object:
        both.wait(60)
        return egg()

    @tenure.cache_resource
    def egg() -> object:
        both.wait(60)
        return hen()

    jobs = [Job(hen), Job(egg)]
    errors = [job.error() for job in jobs]
    assert [type(error) for error in errors] == [CacheCycleError, CacheCycleError]
    assert "hen" in str(errors[0])
    assert "egg" in str(errors[0])


def test_c3_a_cycle_across_three_threads_and_functions(clock: Clock) -> None:
    everyone = threading.Barrier(3)

    @tenure.cache_resource
    def stone() -> object:
        everyone.wait(60)
        return paper()

    @tenure.cache_resource
    def paper() -> object:
        everyone.wait(60)
        return scissors()

    @tenure.cache_resource
    def scissors() -> object:
        everyone.wait(60)
        return stone()

    errors = [job.error() for job in [Job(stone), Job(paper), Job(scissors)]]
    assert all(type(error) is CacheCycleError for error in errors)
    assert all(name in str(errors[0]) for name in ("stone", "paper", "scissors"))


def test_c3_who_catches_the_error_can_go_on(clock: Clock, ledger: Ledger) -> None:
    @tenure.cache_resource
    def config() -> object:
        try:
            return defaults()
        except CacheCycleError:
            return "plain"

    @tenure.cache_resource
    def defaults() -> object:
        return config()

    assert config() == "plain"
    assert config.info().entries == 1
    assert defaults() == "plain"


def test_c3_waiting_for_a_build_of_another_thread_is_no_cycle(clock: Clock, ledger: Ledger) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tenure.cache_resource
    def base() -> object:
        began.set()
        wait(go_on)
        return ledger.build("base")

    @tenure.cache_resource
    def derived(key: int) -> object:
        return [base(), key]

    first = Job(base)
    wait(began)
    jobs = [Job(lambda key=key: derived(key)) for key in range(3)]
    go_on.set()
    assert [job.result()[0] for job in jobs] == [first.result()] * 3


def test_c3_a_thread_that_a_build_starts_may_build_for_itself(clock: Clock, ledger: Ledger) -> None:
    """A thread of its own has no part in the build that started it, so another key is fine there."""

    @tenure.cache_resource
    def part(key: int) -> object:
        return ledger.build(key)

    @tenure.cache_resource
    def whole() -> list[object]:
        return together(3, lambda key: part(key))

    assert [it.name for it in whole()] == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_c3_random_needs_end_in_a_resource_or_an_error(clock: Clock, seed: int) -> None:
    """Functions that need random others, asked by many threads at once: every call ends."""
    dice = random.Random(seed)
    needs = {key: [dice.randrange(8) for _ in range(dice.randrange(3))] for key in range(8)}

    @tenure.cache_resource
    def node(key: int) -> list[object]:
        return [node(other) for other in needs[key]]

    def ask(number: int) -> str:
        try:
            node(number % 8)
        except CacheCycleError:
            return "cycle"
        return "built"

    def is_cyclic(key: int, path: tuple[int, ...] = ()) -> bool:
        return key in path or any(is_cyclic(other, (*path, key)) for other in needs[key])

    answers = together(16, ask)
    for number, answer in enumerate(answers):
        if not is_cyclic(number % 8):
            assert answer == "built"
        else:
            assert answer == "cycle"
