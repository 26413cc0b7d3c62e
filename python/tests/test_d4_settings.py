"""D4 without a cluster: what `scope="cluster"` takes, and what it says where it cannot be."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import tenure
from tenure.cluster import _face
from tenure.cluster._face import face

SECRET = "a secret that is long enough"


def made(name: str) -> str:
    return name


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"ray_options": {"num_gpus": 1}}, ValueError, 'ray_options is for scope="cluster"'),
        ({"scope": "cluster", "ray_options": 3}, TypeError, "ray_options cannot be 3.*Example: ray_options="),
        ({"scope": "cluster", "ray_options": {3: 4}}, TypeError, "has 3 for a name"),
        ({"scope": "cluster", "ray_options": {"name": "a"}}, ValueError, "cannot have 'name': it is derived from"),
        ({"scope": "cluster", "ray_options": {"max_restarts": 1}}, ValueError, "nobody has counted"),
        (
            {"scope": "cluster", "ray_options": {"num_gpu": 1}},
            ValueError,
            'knows no "num_gpu". Known are num_cpus, ',
        ),
        ({"scope": "cluster", "ray_options": {"num_cpus": -1}}, ValueError, "cannot have -1 for .num_cpus.*from 0 on"),
        ({"scope": "cluster", "ray_options": {"num_cpus": float("nan")}}, ValueError, "cannot have nan for .num_cpus"),
        ({"scope": "cluster", "ray_options": {"num_gpus": "1"}}, TypeError, "cannot have '1' for .num_gpus"),
        ({"scope": "cluster", "ray_options": {"max_concurrency": 0}}, ValueError, "max_concurrency.*from 1 on"),
        ({"scope": "cluster", "ray_options": {"resources": 3}}, TypeError, "cannot have 3 for .resources"),
        ({"scope": "cluster", "ray_options": {"resources": {"disk": -1}}}, ValueError, "cannot have -1 for 'disk' of"),
        ({"scope": "cluster", "max_entries": 3}, ValueError, "max_entries cannot be.*num_gpus"),
        ({"scope": "cluster", "keep_if": bool}, ValueError, "keep_if cannot be.*raise from the function"),
        ({"scope": "cluster", "fork": "keep"}, ValueError, "fork cannot be"),
        ({"scope": "cluster", "fleet_builds": 1}, ValueError, "fleet_builds cannot be"),
        ({"scope": "cluster", "experimental_allow_widgets": True}, ValueError, "no page"),
        ({"scope": "clutser"}, ValueError, '"cluster"'),
    ],
)
def test_d4_what_cannot_be_is_refused_where_it_is_written(settings, error, text) -> None:
    with pytest.raises(error, match=text):
        tenure.cache_resource(**settings)
    with pytest.raises(error, match=text):
        tenure.cache_resource(made, **settings)


def test_d4_without_a_secret_nothing_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tenure.cache_resource(made, scope="cluster")
    for secret in (None, ""):
        monkeypatch.delenv("TENURE_FLEET_SECRET", raising=False)
        if secret is not None:
            monkeypatch.setenv("TENURE_FLEET_SECRET", secret)
        with pytest.raises(tenure.ScopeError, match=r"configure\(fleet_secret=.*TENURE_FLEET_SECRET.*16 bytes"):
            cached._actor("pump")
        with pytest.raises(tenure.ScopeError, match=r"configure\(fleet_secret="):
            cached.clear()


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"num_cpus": None, "num_gpus": 0.5, "memory": 0, "max_concurrency": 1, "resources": {"disk": 0.1}},
        {"accelerator_type": "A100", "runtime_env": {}, "scheduling_strategy": "SPREAD", "resources": None},
    ],
)
def test_d4_what_an_actor_may_need_is_taken(options) -> None:
    assert tenure.cache_resource(made, scope="cluster", ray_options=options).info().builds == 0


def test_d4_a_clear_without_ray_says_that_it_reached_no_cluster(monkeypatch, caplog) -> None:
    monkeypatch.setenv("TENURE_FLEET_SECRET", SECRET)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    cached = tenure.cache_resource(made, scope="cluster")
    for end in (cached.clear, cached.expire, lambda: cached.clear("pump")):
        with pytest.raises(ConnectionError, match=r"made\.(clear|expire)\(\) reached no cluster.*ray\.init\(address="):
            end()
    with tenure.testing.override(cached, 3):
        cached.clear()
    for end, text in (
        (tenure.cache_resource.clear, "the clear of everything reached no cluster"),
        (lambda: tenure.clear_tag("a"), "tenure.clear_tag('a') reached no cluster"),
    ):
        caplog.clear()
        end()
        assert text in caplog.text


def test_d4_a_secret_that_is_too_short_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tenure.cache_resource(made, scope="cluster")
    monkeypatch.setenv("TENURE_FLEET_SECRET", "hunter2")
    for ask in (lambda: cached._actor("pump"), cached.clear):
        with pytest.raises(tenure.ScopeError, match=r"too short.* 16 bytes.*TENURE_FLEET_SECRET") as refused:
            ask()
        assert "no secret" not in str(refused.value)
        assert "hunter2" not in str(refused.value)


def test_d4_the_secret_of_configure_names_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tenure.cache_resource(made, scope="cluster")
    monkeypatch.setenv("TENURE_FLEET_SECRET", SECRET)
    from_environment = cached._actor("pump")
    try:
        tenure.configure(fleet_secret="another secret of the program")
        assert cached._actor("pump") != from_environment
        tenure.configure(fleet_secret=SECRET)
        assert cached._actor("pump") == from_environment
    finally:
        tenure.configure()


def test_d4_what_is_of_one_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_FLEET_SECRET", SECRET)
    lock = threading.Lock()

    def holding(name: str) -> object:
        return lock, name

    with pytest.warns(UserWarning, match="told apart by its identity"):
        cached = tenure.cache_resource(holding, scope="cluster")
    with pytest.raises(tenure.UnhashableParamError, match="holds `lock`.*underscore"):
        cached._actor("pump")


NAMES = """
import tenure

def made(name, table=None, *rest, text="d" * 1000, **more):
    return name

options = {"num_gpus": 1, "resources": {"b": 1}}
cached = tenure.cache_resource(made, scope="cluster", on_release=lambda it: None, ray_options=options)
print(cached._actor("x" * 1000, {"b": 1, "a": {1, "two", 3.0}}, b"y" * 500, z=1))
"""


def test_d4_names_are_the_same_whatever_a_process_draws(tmp_path) -> None:
    (tmp_path / "program.py").write_text(NAMES)
    names = {
        subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "TENURE_FLEET_SECRET": SECRET},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(names) == 1, names


def test_d4_ray_is_imported_when_it_is_needed_and_named_where_it_is_missing() -> None:
    program = """
import sys
sys.modules["ray"] = None
import tenure
cached = tenure.cache_resource(lambda name: name, scope="cluster")
try:
    cached("pump")
except ImportError as error:
    assert "pip install \\"tenure[ray]\\"" in str(error), error
else:
    raise AssertionError("there is no Ray")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={"TENURE_FLEET_SECRET": SECRET}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


class Outside:
    """What a face is looked at of."""

    number = 3

    def __init__(self) -> None:
        self.model = lambda it: it
        self.text = "text"
        self._hidden = 1

    @property
    def asked(self) -> int:
        raise AssertionError("a look runs nothing")

    def plain(self) -> None: ...

    def items(self):
        yield 1

    async def awaited(self) -> None: ...

    async def ticks(self):
        yield 1

    @staticmethod
    def still() -> None: ...

    @classmethod
    def of_class(cls) -> None: ...

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> None: ...


def test_d4_a_face_says_what_each_name_is_and_runs_nothing() -> None:
    seen = face(Outside())
    assert dict(seen.names) == {
        "__len__": "call",
        "asked": "data",
        "awaited": "await",
        "items": "stream",
        "model": "call",
        "number": "data",
        "of_class": "call",
        "plain": "call",
        "still": "call",
        "text": "data",
        "ticks": "async stream",
    }
    assert seen.refused == ("__enter__",)
    assert _face.face([1]).class_name == "builtins.list"
