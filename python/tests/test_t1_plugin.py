"""T1: the pytest plugin isolates tests, and can fail one that leaves something unreleased."""

from __future__ import annotations

import textwrap

import pytest

pytest_plugins = ["pytester"]

APP = """
import tenure

built = []
released = []

def note(it):
    released.append(it)

@tenure.cache_resource(on_release=note)
def pool(name="main"):
    built.append(name)
    return [name]

async def note_async(it):
    released.append(it)

@tenure.cache_resource(on_release=note_async)
async def client(name="main"):
    built.append(name)
    return [name]

def close_badly(it):
    raise RuntimeError("does not close")

@tenure.cache_resource(on_release=close_badly)
def broken():
    return ["broken"]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    return pytester


def run(project: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    project.makepyfile(textwrap.dedent(test))
    return project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q", *options)


PAIR = """
    import tenure, app

    def test_one():
        app.pool()
        app.pool()
        assert app.pool.info().builds == 1 and app.pool.info().hits == 1
        tenure.configure(shutdown_timeout=3)

    def test_two():
        assert app.released == [["main"]]
        assert app.pool.info().builds == 0
        app.pool()
        assert app.built == ["main", "main"]

    def test_three():
        assert len(app.released) == 2
"""


def test_t1_nothing_reaches_the_next_test(project: pytest.Pytester) -> None:
    run(project, PAIR).assert_outcomes(passed=3)


@pytest.mark.parametrize("how", ["each", "load", "loadfile"])
def test_t1_under_xdist(project: pytest.Pytester, how: str) -> None:
    test = """
        import app, pytest

        @pytest.mark.parametrize("number", range(8))
        def test_one(number):
            assert app.pool.info().builds == 0
            assert len(app.released) == len(app.built)
            app.pool()
    """
    if how == "each":
        run(project, test, "-n", "0").assert_outcomes(passed=8)
    else:
        run(project, test, "-n", "2", "--dist", how).assert_outcomes(passed=8)


def test_t1_what_wider_fixtures_build_lives_as_long_as_they_do(project: pytest.Pytester) -> None:
    run(
        project,
        """
        import app, pytest

        @pytest.fixture(scope="module")
        def shared():
            yield app.pool("shared")

        @pytest.fixture(scope="session")
        def late():
            return app.pool("late")

        def test_one(shared, request):
            assert app.pool.info().builds == 0
            assert app.pool("shared") is not shared
            app.pool.clear()
            assert shared not in [it for it in app.released if it is shared]
            assert request.getfixturevalue("late") == ["late"]
            assert app.pool.info().builds == 1

        def test_two(shared, late):
            assert all(it is not shared and it is not late for it in app.released)
            assert len(app.released) == 1

        @pytest.mark.tenure_shared
        def test_three(shared, late):
            assert app.pool("shared") is shared and app.pool("late") is late
            assert app.pool.info().builds == 2
        """,
    ).assert_outcomes(passed=3)


def test_t1_overrides_and_clocks_that_were_left_open_end_with_the_test(project: pytest.Pytester) -> None:
    run(
        project,
        """
        import app, tenure.testing

        def test_one():
            tenure.testing.override(app.pool, "left").__enter__()
            tenure.testing.clock().__enter__()
            assert app.pool() == "left"

        def test_two():
            assert app.pool() == ["main"]
            with tenure.testing.clock() as clock:
                clock.advance(1)
        """,
    ).assert_outcomes(passed=2)


def test_t1_isolation_can_be_switched_off(project: pytest.Pytester) -> None:
    test = """
        import app

        def test_one():
            app.pool()

        def test_two():
            assert app.pool.info().builds == 1
            app.pool()
            assert app.built == ["main"] and app.released == []
    """
    run(project, test, "--tenure-isolation", "off").assert_outcomes(passed=2)
    project.makeini("[pytest]\ntenure_isolation = off")
    run(project, test).assert_outcomes(passed=2)
    project.makeini("[pytest]\ntenure_isolation = maybe")
    run(project, test).stderr.fnmatch_lines(["*Write tenure_isolation = *"])


ASYNC = """
    async def test_one():
        assert await app.client() is await app.client()

    async def test_two():
        assert app.released == [["main"]]
        assert app.client.info().builds == 0
        await app.client()

    def test_three():
        assert len(app.released) == 2
"""


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_t1_under_pytest_asyncio(project: pytest.Pytester, scope: str) -> None:
    options = ["asyncio_mode=auto", f"asyncio_default_test_loop_scope={scope}"]
    options += [f"asyncio_default_fixture_loop_scope={scope}"]
    settings = [part for option in options for part in ("-o", option)]
    run(project, "    import app\n" + ASYNC, "-p", "no:anyio", *settings).assert_outcomes(passed=3)


@pytest.mark.parametrize(("backend", "scope"), [("asyncio", "function"), ("asyncio", "module"), ("trio", "function")])
def test_t1_under_anyio(project: pytest.Pytester, backend: str, scope: str) -> None:
    test = f"""
    import app, pytest

    pytestmark = pytest.mark.anyio

    @pytest.fixture(scope="module")
    def anyio_backend():
        return {backend!r}

    @pytest.fixture(scope={scope!r}, autouse=True)
    async def around(anyio_backend):
        yield
    {ASYNC.replace("    def test_three", "    async def test_three")}
    """
    run(project, test, "-p", "no:asyncio").assert_outcomes(passed=3)


def test_t1_a_run_of_trio_that_outlives_the_test_is_told(project: pytest.Pytester) -> None:
    test = """
        import app, pytest, tenure

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "trio"

        @pytest.fixture(scope="module", autouse=True)
        async def around(anyio_backend):
            yield

        async def test_one():
            tenure.configure(shutdown_timeout=0.2)
            await app.client()

        async def test_two():
            assert app.client.info().builds == 0
    """
    run(project, test, "-p", "no:asyncio", "--log-file", "log.txt").assert_outcomes(passed=2)
    log = (project.path / "log.txt").read_text(encoding="utf-8")
    assert "app.client: a release has not ended in the time of the shutdown" in log


def test_t1_unittest_and_setup_methods_are_inside(project: pytest.Pytester) -> None:
    run(
        project,
        """
        import app, unittest

        class TestCase(unittest.TestCase):
            def setUp(self):
                app.pool()

            def test_one(self):
                assert app.pool.info().builds == 1

            def test_two(self):
                assert app.pool.info().builds == 1

        class TestClass:
            def setup_method(self):
                app.pool()

            def test_one(self):
                assert app.pool.info().builds == 1 and len(app.released) == 2

            def test_two(self):
                assert app.pool.info().builds == 1 and len(app.released) == 3
        """,
    ).assert_outcomes(passed=4)


LEAKS = """
    import app

    def test_clean():
        app.pool()
        app.pool.clear()

    def test_kept():
        app.pool("a")
        app.pool("b")

    def test_leased():
        lease = app.pool.lease("c")
        lease.__enter__()
        test_leased.lease = lease
        app.pool.clear()

    def test_broken():
        app.broken()
        app.broken.clear()
"""


def test_t1_leaks_are_told_with_their_places(project: pytest.Pytester) -> None:
    result = run(project, LEAKS, "--tenure-leaks")
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*pool: 2",
            "*it is not released, built by *.py:8",
            "*it is not released, built by *.py:9",
            "*pool: 1",
            "*a lease of it is not closed, built by *.py:13",
            "*broken: 1",
            "*its release has failed",
        ]
    )


def test_t1_leaks_are_not_looked_for_unless_asked(project: pytest.Pytester) -> None:
    run(project, LEAKS).assert_outcomes(passed=4)


def test_t1_leaks_of_tasks_name_the_call_that_had_them_built(project: pytest.Pytester) -> None:
    test = """
        import tenure, pytest

        @tenure.cache_resource
        async def kept():
            return ["kept"]

        async def asks():
            return await kept()

        async def test_one():
            await asks()
    """
    result = run(project, test, "--tenure-leaks", "-o", "asyncio_mode=auto")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*kept: 1", "*it is not released, built by *.py:8"])


WIDE_ASYNC = """
    import pytest, pytest_asyncio, tenure

    released = []

    async def note(it):
        released.append(it)

    @tenure.cache_resource(scope="loop", on_release=note)
    async def session(name):
        yield [name]

    @tenure.cache_resource(on_release=note)
    async def model(name):
        return [name]

    @FIXTURE
    async def shared():
        # Whoever waited for what the fixture keeps would wait that long.
        tenure.configure(shutdown_timeout="1h")
        yield await session("fixture"), await model("fixture")

    @MARK
    async def test_one(shared):
        await session("test one")
        await model("test one")

    @MARK
    async def test_two(shared):
        assert released == [["test one"]] * 2
        await session("test two")

    @MARK
    async def test_three(shared):
        assert released == [["test one"]] * 2 + [["test two"]]
        await model("test three")

    def test_four(shared):
        assert released.pop() == ["test three"]
        assert ["fixture"] not in released
"""


def test_t1_the_end_of_a_test_waits_for_nothing_that_a_wider_async_fixture_keeps(project: pytest.Pytester) -> None:
    test = WIDE_ASYNC.replace("@FIXTURE", "@pytest_asyncio.fixture(loop_scope='module', scope='module')")
    test = test.replace("@MARK", "@pytest.mark.asyncio(loop_scope='module')")
    run(project, test, "-p", "no:anyio").assert_outcomes(passed=4)


def test_t1_the_end_of_a_test_waits_for_nothing_that_a_wider_fixture_of_anyio_keeps(project: pytest.Pytester) -> None:
    around = """
    @pytest.fixture(scope="module")
    def anyio_backend():
        return "asyncio"
    """
    test = WIDE_ASYNC.replace("    @FIXTURE", around + "\n    @pytest.fixture(scope='module')")
    test = test.replace("@MARK", "@pytest.mark.anyio").replace("import pytest, pytest_asyncio", "import pytest")
    run(project, test, "-p", "no:asyncio").assert_outcomes(passed=4)


def test_t1_what_a_late_wide_async_fixture_builds_lives_as_long_as_it(project: pytest.Pytester) -> None:
    test = """
        import app, pytest, pytest_asyncio

        @pytest_asyncio.fixture(loop_scope="module", scope="module")
        async def shared():
            yield await app.client("shared")

        def test_one(request):
            assert request.getfixturevalue("shared") == ["shared"]
            assert app.client.info().entries == 0

        def test_two(shared):
            assert app.released == []
    """
    run(project, test, "-p", "no:anyio").assert_outcomes(passed=2)


def test_t1_late_wide_fixtures_that_ask_for_others_stay_outside(project: pytest.Pytester) -> None:
    test = """
        import app, pytest

        @pytest.fixture(scope="session")
        def inner():
            return app.pool("inner")

        @pytest.fixture(scope="session")
        def breaks():
            raise LookupError

        @pytest.fixture(scope="module")
        def outer(request):
            request.getfixturevalue("inner")
            with pytest.raises(LookupError):
                request.getfixturevalue("breaks")
            return app.pool("outer")

        def test_one(request):
            assert request.getfixturevalue("outer") == ["outer"]
            assert app.pool.info().builds == 0
            app.pool("mine")
            assert app.pool.info().builds == 1

        def test_two():
            assert app.released == [["mine"]]

        @pytest.mark.tenure_shared
        def test_three(outer, inner):
            assert app.pool("outer") is outer and app.pool("inner") is inner
    """
    run(project, test).assert_outcomes(passed=3)


def test_t1_an_override_of_a_test_does_not_reach_a_late_wide_fixture(project: pytest.Pytester) -> None:
    test = """
        import app, pytest, tenure.testing

        @pytest.fixture(scope="module")
        def shared():
            with tenure.testing.override(app.broken, "for all"):
                yield app.pool()

        def test_one(request, tenure_override):
            tenure_override(app.pool, "fake")
            tenure_override(app.broken, "for me")
            assert request.getfixturevalue("shared") == ["main"]
            assert app.pool() == "fake"
            assert app.broken() == "for me"  # As where the fixture had come first.

        def test_two(shared):
            assert shared == app.pool() == ["main"]
            assert app.broken() == "for all"
    """
    run(project, test).assert_outcomes(passed=2)


def test_t1_what_a_late_wide_fixture_configures_holds_from_then_on(project: pytest.Pytester) -> None:
    test = """
        import app, pytest, tenure

        @pytest.fixture(scope="module")
        def drains():
            tenure.configure(drain="30s", shutdown_timeout="7s")

        def is_drained():
            mine = app.pool()
            app.pool.clear()
            return app.pool.info().draining == 1

        def test_one(request):
            tenure.configure(shutdown_timeout="3s")
            request.getfixturevalue("drains")
            assert is_drained()
            assert tenure._native.shutdown_timeout() == 3  # The test has said so itself.

        def test_two():
            assert is_drained()
            assert tenure._native.shutdown_timeout() == 7
    """
    run(project, test).assert_outcomes(passed=2)


def test_t1_what_is_released_with_its_last_use_is_not_left(project: pytest.Pytester) -> None:
    test = """
        import app, tenure

        @tenure.cache_resource(keep_if=lambda it: False)
        def passes():
            return ["passes"]

        @tenure.cache_resource(drain="1h")
        def drains():
            return ["drains"]

        def test_lease():
            with app.pool.lease():
                app.pool.clear()

        def test_orphan():
            mine = passes()

        def test_drain():
            mine = drains()
            drains.clear()

        def test_kept():
            test_kept.mine = drains()
            drains.clear()
    """
    result = run(project, test, "--tenure-leaks")
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*drains: 1"])
