"""H2, H7: each example of the reference page, run as it is printed, does what its comments say.

Two things are replaced, and nothing else: models that need a download are scikit-learn models from modules that stand
in for `transformers` and `torchvision`, and `time.sleep` in the `foo` example notes the seconds instead of waiting.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="pip install streamlit")
pytest.importorskip("sklearn", reason="pip install scikit-learn")

from page_stage import EXAMPLES, Model, Stage, app, example, run

import tenure
import tenure.streamlit

SESSION = "session = sqlite3.connect(':memory:', check_same_thread=False)"


def keep(*names: str) -> str:
    """An epilogue that keeps the values of these names for the test."""
    return f"st.session_state.kept = dict({', '.join(f'{name}={name}' for name in names)})"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Tenure in the place of `st.cache_resource`, stand-ins in the place of downloads, and empty caches."""
    stage = Stage()
    for name, module in stage.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    tenure.streamlit.install()
    yield stage
    tenure.cache_resource.clear()
    tenure.streamlit.uninstall()


def is_open(connection: sqlite3.Connection) -> bool:
    """Whether the connection still answers."""
    try:
        connection.execute("select 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_example_1_global_cache(stage):
    """S1, F3: built once for each URL, for all runs and sessions; `s1` and `s2` are one object."""
    urls = "SESSION_URL_1, SESSION_URL_2 = 'sqlite:///one', 'sqlite:///two'"
    parts = (urls, SESSION, example("1_global"), keep("s1", "s2", "s3"))
    one = run(app(*parts))
    assert stage.ran("get_database_session", "url") == [("sqlite:///one",), ("sqlite:///two",)]
    kept = one.session_state.kept
    assert kept["s1"] is kept["s2"]

    for session in (one, app(*parts)):
        again = run(session).session_state.kept
        assert stage.ran("get_database_session", "url") == []
        assert again["s1"] is again["s2"] is kept["s1"]
        assert again["s3"] is kept["s3"]


def test_example_2_session_scoped_cache(stage):
    """S2, L1: one for each session, kept over its runs, and closed when the session has gone."""
    parts = (SESSION, example("2_session"), "s = get_database_session('sqlite:///one')", keep("s"))
    one, two = run(app(*parts)), run(app(*parts))
    assert stage.ran("get_database_session", "url") == [("sqlite:///one",)] * 2
    first, second = one.session_state.kept["s"], two.session_state.kept["s"]
    assert first is not second
    assert run(one).session_state.kept["s"] is first
    assert stage.ran("get_database_session", "url") == []

    del one
    gc.collect()
    assert not is_open(first)
    assert is_open(second)
    assert run(two).session_state.kept["s"] is second


def test_example_3_unhashable_arguments(stage):
    """K11: the second call has another `_sessionmaker` and finds the first one's connection."""
    preamble = """
DATA_URL_1 = "sqlite:///one"
connection = sqlite3.connect(":memory:", check_same_thread=False)
made = []

def create_sessionmaker():
    made.append(lambda: connection)
    return made[-1]
"""
    one = run(app(preamble, example("3_unhashable"), keep("s1", "s2", "made")))
    kept = one.session_state.kept
    assert len(set(kept["made"])) == 2
    assert stage.ran("get_database_session", "_sessionmaker") == [(kept["made"][0],)]
    assert kept["s1"] is kept["s2"]


CALLS = """
for url in ("https://streamlit.io/", "https://docs.streamlit.io/"):
    get_database_session(_sessionmaker, url)
"""
CONNECTION = "connection = _sessionmaker = object()"


def test_example_4_clearing_a_cache_as_printed(stage):
    """H2: clearing what is not there is no error, and each run leaves the function empty."""
    one = app(CONNECTION, example("4_clear"), CALLS)
    for _ in range(2):
        run(one)
        assert len(stage.ran("get_database_session", "url")) == 2


def test_example_4_clearing_a_cache_step_by_step(stage):
    """H2, K3, K11: the first clear takes one entry, whatever its `_sessionmaker`; the second takes all."""
    text = example("4_clear")
    first, second = "get_database_session.clear(_sessionmaker,", "get_database_session.clear()"
    definition = text[: text.index(first)]
    one_entry = text[text.index(first) : text.index(second)]
    all_entries = text[text.index(second) :]
    assert definition + one_entry + all_entries == text
    both = [("https://streamlit.io/",), ("https://docs.streamlit.io/",)]

    other = "_sessionmaker = object()"
    run(app(CONNECTION, definition, CALLS, CALLS, other, one_entry, CALLS, all_entries, CALLS))
    assert stage.ran("get_database_session", "url") == [*both, *both[:1], *both]


@pytest.mark.parametrize("name", ["5_type", "5_name"])
def test_example_5_custom_hashing(stage, name):
    """K12: persons are keyed by `str`, by type or by full name, though `Person` is a new class at each run."""
    people = "names = [get_person_name(Person(name=name)) for name in ('Ada', 'Ada', 'Grace')]"
    one = app(example(name), people, keep("names"))
    assert run(one).session_state.kept["names"] == ["Ada", "Ada", "Grace"]
    assert [person.name for (person,) in stage.ran("get_person_name", "person")] == ["Ada", "Grace"]
    assert run(one).session_state.kept["names"] == ["Ada", "Ada", "Grace"]
    assert stage.ran("get_person_name", "person") == []


def test_clear_all_example(stage):
    """H2: the button clears the caches of both functions."""
    calls = "model = get_model('bert-base-uncased'); get_database_session('sqlite:///one')"
    one = run(app(SESSION, example("clear_all"), calls, keep("model")))

    def ran():
        return stage.ran("get_model", "model_type"), stage.ran("get_database_session", "url")

    everything = [("bert-base-uncased",)], [("sqlite:///one",)]
    assert ran() == everything
    assert isinstance(one.session_state.kept["model"], Model)
    run(one)
    assert ran() == ([], [])
    assert [button.label for button in one.button] == ["Clear All"]
    one.button[0].click()
    run(one)
    assert ran() == everything


@pytest.mark.parametrize("decorator", ["cache_data", "cache_resource"])
def test_clear_function_example(stage, decorator):
    """H2, H4: both buttons of `foo`, as printed and with the decorator that Tenure stands in for."""
    one = run(app(example("clear_foo").replace("@st.cache_data", f"@st.{decorator}")))
    assert stage.ran("foo", "bar") == [(1,), (2,)]
    assert stage.slept == [2, 2]
    labels = ["Clear all cached values for `foo`", "Clear the cached value of `foo(1)`"]
    assert [button.label for button in one.button] == labels

    for pressed, runs in ((None, []), (1, [(1,)]), (0, [(1,), (2,)]), (None, [])):
        if pressed is not None:
            one.button[pressed].click()
        run(one)
        assert stage.ran("foo", "bar") == runs
        assert [text.value for text in one.markdown] == ["Executed foo(1).", "Executed foo(2)."]


def test_load_model_example_replays_its_message(stage):
    """H4: the message of the first run stands on later runs, and in other sessions."""
    parts = (example("load_model_success"), "model = load_model()", keep("model"))
    one = run(app(*parts))
    assert stage.ran("load_model") == [()]
    model = one.session_state.kept["model"]
    assert model.source == "sentiment-analysis"
    for session in (one, run(one), run(app(*parts))):
        assert [message.value for message in session.success] == ["Loaded NLP model from Hugging Face!"]
        assert session.session_state.kept["model"] is model
    assert stage.ran("load_model") == []


TORCHVISION = "import torchvision\nfrom torchvision.models import ResNet50_Weights"


def written(block) -> list[tuple[str, str]]:
    """What stands in a block, in its order."""
    return [(element.type, element.value) for element in block.children.values()]


def test_load_model_example_replays_a_part_of_the_page(stage):
    """H4: header, message and texts stand, in their order, wherever the function is called."""
    parts = (TORCHVISION, example("load_model_elements"), "st.title('Before')\nload_model()\nst.caption('After')")
    one, in_sidebar = app(*parts), app(*parts[:-1], "with st.sidebar:\n    load_model()")
    expected = [
        ("title", "Before"),
        ("header", "Data analysis"),
        ("success", "Loaded model!"),
        ("markdown", "Turning on evaluation mode..."),
        ("markdown", "Here's the model:"),
        ("caption", "After"),
    ]
    for runs in ([()], []):
        run(one)
        assert stage.ran("load_model") == runs
        assert written(one.main) == expected
    for _ in range(2):
        run(in_sidebar)
        assert written(in_sidebar.sidebar) == expected[1:-1]
        assert written(in_sidebar.main) == []


def test_load_model_example_with_a_widget(stage):
    """H5: the checkbox counts as an argument; its two states are two entries, and it is shown on each run."""
    one = app(TORCHVISION, example("load_model_widget"), "model = load_model()", keep("model"))

    def pretrained(ticked: bool, runs: int):
        box = one.checkbox[0]
        (box.check if ticked else box.uncheck)()
        run(one)
        assert one.checkbox[0].value is ticked
        assert [box.label for box in one.checkbox] == ["Use pre-trained model:"]
        assert len(stage.ran("load_model")) == runs
        return one.session_state.kept["model"]

    run(one)
    assert len(stage.ran("load_model")) == 1
    plain = one.session_state.kept["model"]
    ticked = pretrained(True, 1)
    assert ticked is not plain
    assert pretrained(False, 0) is plain
    assert pretrained(True, 0) is ticked
    assert not one.warning


def test_every_example_is_used():
    """H2: no example of the page is left out by mistake."""
    names = {path.stem for path in EXAMPLES.iterdir()}
    source = Path(__file__).read_text(encoding="utf-8")
    assert names
    assert all(f'"{name}"' in source for name in names)
