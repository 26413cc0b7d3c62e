"""H2: `tenure.streamlit.install()`, and `tenure run` for an unchanged app."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import stage
import streamlit as st

import tenure.streamlit
from tenure import _cli
from tenure.hosts import streamlit as adapter
from tenure.hosts.streamlit import version as streamlit_version

pytestmark = [pytest.mark.streamlit, stage.LEFT_OPEN]


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_h2_install_makes_st_cache_resource_tenures_and_can_be_undone() -> None:
    theirs = st.cache_resource
    tenure.streamlit.install()
    tenure.streamlit.install()
    assert st.cache_resource is tenure.cache_resource
    tenure.streamlit.uninstall()
    assert st.cache_resource is theirs
    tenure.streamlit.uninstall()
    assert st.cache_resource is theirs


def test_h2_detaching_leaves_streamlit_as_it_was(app: Callable[..., Any]) -> None:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.runtime.app_session import AppSession

    adapter.detach()
    before = (DeltaGenerator._enqueue, AppSession.clear_session_caches, st.cache_resource)
    tenure.streamlit.install()
    assert before[1] is not AppSession.clear_session_caches
    adapter.detach()
    assert before == (DeltaGenerator._enqueue, AppSession.clear_session_caches, st.cache_resource)


def test_h2_an_unchanged_app_runs_on_tenure(app: Callable[..., Any]) -> None:
    def script():
        import streamlit as st

        @st.cache_resource
        def load(name, *, size=1):
            st.text(f"loading {name}")
            return [name] * size

        st.text(str(load("a", size=2) is load("a", size=2)))
        st.text(str(load.info().builds))

    tenure.streamlit.install()
    page = app(script)
    for _ in range(2):
        page.run()
        page.fine()
        assert page.texts() == ["loading a", "loading a", "True", "1"]


def test_h2_st_connection_is_kept_and_cleared_with_the_rest(app: Callable[..., Any]) -> None:
    def script():
        import stage
        import streamlit as st
        from streamlit.connections import BaseConnection

        class Wire(BaseConnection):
            def _connect(self, **kwargs):
                return kwargs

        def wire(ttl=None):
            return st.connection("wire", type=Wire, ttl=ttl, host="db")

        st.button("Clear", on_click=st.cache_resource.clear)
        st.text(str(wire() is wire()))
        st.text(str(wire() is wire(60)))
        stage.things["wire"] = wire()

    tenure.streamlit.install()
    page = app(script)
    kept = []
    for step in (None, None, lambda test: test.button[0].click()):
        page.run(step)
        page.fine()
        assert page.texts() == ["True", "False"]
        kept.append(stage.things["wire"])
    assert kept[0] is kept[1]
    assert kept[1] is not kept[2]


def test_h2_tenure_run_serves_an_unchanged_app(tmp_path: Path) -> None:
    """The real command, its server, and a session that it runs the app for."""
    seen = tmp_path / "seen"
    path = tmp_path / "app.py"
    path.write_text(
        "import sys, streamlit as st\n"
        "@st.cache_resource(on_release=print)\n"
        "def load():\n"
        "    return 1\n"
        "load()\n"
        f"open({str(seen)!r}, 'w').write(f'{{type(load).__module__}} {{load.info().builds}} {{sys.argv[1:]}}')\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "tenure",
        "run",
        str(path),
        "--server.headless",
        "true",
        "--server.port",
        str(port),
    ]
    command += ["--server.fileWatcherType", "none", "--", "an argument"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=tmp_path
    )
    try:
        said: list[str] = []
        _until_it_serves(server, said)
        _visit(port)
        assert not any("config option" in line for line in said), "the options came too late"
        assert seen.read_text() == "tenure 1 ['an argument']", said
    finally:
        server.terminate()
        server.wait(stage.PATIENCE)
        assert server.stdout is not None
        server.stdout.close()


def _until_it_serves(server: subprocess.Popen[str], said: list[str]) -> None:
    serves = threading.Event()

    def read() -> None:
        assert server.stdout is not None
        for line in server.stdout:
            said.append(line)
            if "http://" in line:
                serves.set()
                return

    threading.Thread(target=read, daemon=True).start()
    assert serves.wait(stage.PATIENCE), said


def _visit(port: int) -> None:
    """Opens a session as a browser does, and stays until its script has run."""
    import base64

    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=stage.PATIENCE).status == 200
    with socket.create_connection(("127.0.0.1", port), stage.PATIENCE) as line:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "streamlit",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line.sendall(f"GET /_stcore/stream HTTP/1.1\r\n{head}\r\n".encode())
        stream = line.makefile("rb")
        while stream.readline().strip():
            pass
        message = BackMsg()
        message.rerun_script.query_string = ""
        body = message.SerializeToString()
        # One masked binary frame; the mask of zeros leaves the body as it is.
        line.sendall(bytes([0x82, 0x80 | len(body)]) + bytes(4) + body)
        while True:
            kind, size = stream.read(2)
            if size > 125:
                size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
            answer = ForwardMsg()
            payload = stream.read(size)
            if kind & 0x0F == 2:
                answer.ParseFromString(payload)
                if answer.WhichOneof("type") == "script_finished":
                    return


def test_h2_a_missing_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _cli.main(["run", str(tmp_path / "nowhere.py")]) == 1
    assert f"there is no file {tmp_path / 'nowhere.py'}" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["--server.port", "environment"])
def test_h2_a_busy_port_says_how_to_choose_another(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, busy: int, how: str
) -> None:
    path = tmp_path / "app.py"
    path.write_text("")
    if how == "environment":
        monkeypatch.setenv("STREAMLIT_SERVER_PORT", str(busy))
        assert _cli.main(["run", str(path)]) == 1
    else:
        assert _cli.main(["run", str(path), "--server.port", str(busy)]) == 1
    said = capsys.readouterr().err
    assert f"port {busy} is in use" in said
    assert "--server.port" in said


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "usage: tenure run [--warm module:function] app.py"),
        (["--help"], 0, "usage: tenure run [--warm module:function] app.py"),
        (["--version"], 0, f"tenure {tenure.__version__}"),
        (["serve", "app.py"], 2, "there is no command 'serve'"),
        (["run", "app.py", "--nonsense"], 2, "--nonsense"),
        (["run", "--help"], 0, "--server.port"),
    ],
)
def test_h2_the_command_explains_itself(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert _cli.main(arguments) == status
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_h2_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("tenure")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=stage.PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: tenure run [--warm module:function] app.py")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["top", "--help"], ["run", "--help"]])
def test_h2_the_command_ends_in_silence_where_nobody_reads_on(arguments: list[str]) -> None:
    """Under `head`, say."""
    read, written = os.pipe()
    os.close(read)
    command = Path(sys.executable).with_name("tenure")
    try:
        done = subprocess.run(
            [command, *arguments], stdout=written, stderr=subprocess.PIPE, text=True, timeout=stage.PATIENCE
        )
    finally:
        os.close(written)
    assert (done.returncode, done.stderr) == (0, "")


def test_h2_a_busy_port_for_the_demo_says_how_to_choose_another(busy: int) -> None:
    demo = Path(__file__).parents[3] / "scripts" / "demo"
    if not demo.exists():
        pytest.skip("scripts/demo is not in this tree")
    command = [demo, sys.executable, str(busy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=stage.PATIENCE)
    assert done.returncode == 1
    assert f"port {busy} is busy" in done.stderr
    assert f"make demo PORT={busy + 1}" in done.stderr


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "none is installed"),
        ("1.40.2", "1.40.2 is installed"),
        ("1.52.9", "1.52.9 is installed"),
    ],
)
def test_h2_a_missing_or_too_old_streamlit_says_what_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, found: str | None, said: str
) -> None:
    def version(_: str) -> str:
        if found is None:
            raise metadata.PackageNotFoundError
        return found

    monkeypatch.setattr(metadata, "version", version)
    assert _cli.main(["run", "app.py"]) == 1
    shown = capsys.readouterr().err
    for part in (said, "Streamlit 1.53 or newer", "pip install 'streamlit>=1.53'"):
        assert part in shown
    with pytest.raises(ImportError, match=said):
        streamlit_version.require()


@pytest.mark.parametrize("found", ["1.53.0", "1.67.0", "2.0.0", "1.100.0rc1", "unknown"])
def test_h2_newer_versions_and_odd_ones_are_taken(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: found)
    assert streamlit_version.complaint() is None
