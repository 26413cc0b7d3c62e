"""V1: the figures of a running process in the terminal, `tenure top`."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tenure
from tenure._top import looks, server, table, words
from top_world import User, command
from world import LOST

NOBODY = (
    "no process of yours shows its figures. Start one with TENURE_TOP=1, as in TENURE_TOP=1 python app.py, or write "
    "tenure.configure(top=True) in it"
)


@pytest.fixture
def user() -> Iterator[User]:
    """In a folder with a short path: that of a socket cannot be long."""
    with tempfile.TemporaryDirectory() as folder:
        yield User(Path(folder))


# --- what is shown --------------------------------------------------------------------------------


def test_v1_top_shows_a_process_that_has_opted_in(user: User) -> None:
    with user.program() as program:
        for arguments in ((), (program.pid,)):
            shown = user.shown(*arguments)
            assert (shown["pid"], shown["program"]) == (program.pid, "python -c")
            assert (shown["version"], shown["fleet"]) == (tenure.__version__, None)
            assert shown["uptime"] >= 0
            (function,) = shown["functions"]
            told = ("function", "hits", "misses", "builds", "entries", "weight", "build_median", "build_95")
            assert [function[name] for name in told[:6]] == ["connect", 1, 2, 2, 2, 14]
            assert function["misses_by_reason"]["absent"] == 2
            assert function["build_median"] <= function["build_95"]


def test_v1_top_never_shows_an_argument(user: User) -> None:
    with user.program() as program:
        said = user.top("--json").stdout + user.top(program.pid, "--interval", "0.1").stdout
        assert "connect" in said
        assert not re.search("hunter2|swordfish", said)


def test_v1_top_prints_the_table_once_where_there_is_no_terminal(user: User) -> None:
    with user.program() as program:
        done = user.top("--interval", "0.1")
        assert (done.returncode, done.stderr) == (0, "")
        about, *lines = (line.strip() for line in done.stdout.splitlines() if line.strip(" ─"))
        assert about.startswith(f"python -c  process {program.pid}, seen for ")
        assert re.split(r"\s{2,}", lines[0]) == [
            *("function", "entries", "idle", "stale", "hits/s ▼", "hit rate", "misses", "by reason", "builds"),
            *("median", "95 %", "failures", "weight", "oldest"),
        ]
        cells = re.split(r"\s{2,}", lines[1])
        assert cells[:9] == ["connect", "2", "2", "0", "0.0", "33.3 %", "2", "2 absent", "2"]
        assert cells[11:13] == ["0", "14"]


def test_v1_top_shows_names_with_markup_and_control_characters_as_text(user: User) -> None:
    naming = """
def odd():
    return []
odd.__qualname__ = "[bold]odd[/bold]\\x1b[31m\\u202e"
tenure.cache_resource(odd)()
"""
    with user.program(naming):
        done = user.top("--interval", "0.1")
        assert (done.returncode, done.stderr) == (0, "")
        assert "[bold]odd[/bold]\\x1b[31m\\u202e " in done.stdout
        assert all(it.isprintable() or it == "\n" for it in done.stdout)


@pytest.mark.parametrize(
    ("bound", "text"),
    [(0.001, "≤ 1 ms"), (0.25, "≤ 250 ms"), (2.5, "≤ 2.5 s"), (30.0, "≤ 30 s"), (120.0, "≤ 2 min"), (None, "> 5 min")],
)
def test_v1_top_shows_the_bound_that_a_build_time_is_below(bound: float | None, text: str) -> None:
    assert words.at_most(bound) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (259_200, "3 d")]
)
def test_v1_top_shows_an_age_in_one_unit(seconds: float, text: str) -> None:
    assert words.age(seconds) == text


def test_v1_top_shows_how_a_process_stands_with_its_fleet() -> None:
    about = {"program": "shop.py", "pid": 5, "uptime": 61.0, "version": "1.0"}
    line = "shop.py  process 5, seen for 1 min, tenure 1.0"
    assert words.program({**about, "fleet": None}) == line
    assert words.program({**about, "fleet": {"caught_up": True, "lag": 0.004}}) == f"{line}, in its fleet, lag 4 ms"
    assert words.program({**about, "fleet": {"caught_up": False, "lag": None}}) == f"{line}, cut off from its fleet"


def function(number: int, hits: int) -> dict[str, Any]:
    """A function as a process shows it."""
    counts = dict.fromkeys(("misses", "builds", "failures", "entries", "idle", "stale", "weight"), 1)
    times = {"build_median": 0.001, "build_95": 0.25, "ages": [3.0], "misses_by_reason": {"absent": 1}}
    name = f"shop.catalogue.load_number_{number:02}"
    return {"function": name, "hits": hits, "hit_rate": hits / (hits + 1), **counts, **times}


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (80, ["function", "entries", "hits/s ▼", "hit rate", "failures"]),
        (100, ["function", "entries", "hits/s ▼", "hit rate", "misses", "95 %", "failures"]),
        (200, [*("function", "entries", "idle", "stale", "hits/s ▼", "hit rate", "misses", "by reason", "builds")]),
    ],
)
def test_v1_top_shows_what_the_terminal_has_room_for(width: int, heads: list[str]) -> None:
    about = {"program": "shop.py", "pid": 5, "version": "1.0", "fleet": None}
    before = {**about, "uptime": 10.0, "functions": [function(number, 0) for number in range(50)]}
    now = {**about, "uptime": 12.0, "functions": [function(number, 2 * number) for number in range(51)]}
    console = Console(width=width, height=24, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(table.view(console, now, table.rates(before, now), "hits/s"))
    lines = [line.rstrip() for line in shown.get().splitlines()]
    assert len(lines) == 24
    assert all(len(line) <= width for line in lines)
    assert re.split(r"\s{2,}", lines[2].strip())[: len(heads)] == heads
    # The last one is new: nothing is known of it yet.
    assert [line.split()[0] for line in lines[4:-2]] == [f"shop.catalogue.load_number_{49 - it}" for it in range(18)]
    assert "49.0" in lines[4]
    assert lines[-1].endswith("18 of 51 functions")


# --- in a terminal --------------------------------------------------------------------------------


class Terminal:
    """The command in a terminal of 200 columns."""

    def __init__(self, user: User) -> None:
        self._screen, inner = pty.openpty()
        self.process = subprocess.Popen(
            command(),
            stdin=inner,
            stdout=inner,
            stderr=subprocess.PIPE,
            env={**user.environment, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "40"},
        )
        os.close(inner)
        self._seen = ""

    def until(self, text: str) -> None:
        """Reads on until the text is there."""
        while text not in self._seen:
            self._seen += os.read(self._screen, 1 << 16).decode(errors="replace")
        self._seen = self._seen.partition(text)[2]

    def press(self, key: str) -> None:
        os.write(self._screen, key.encode())

    def ended(self) -> tuple[int, bytes]:
        """The exit status, and what it said beside the screen."""
        # The terminal keeps a process that writes until somebody reads.
        try:
            while os.read(self._screen, 1 << 16):
                pass
        except OSError:
            pass
        os.close(self._screen)
        _, said = self.process.communicate(timeout=LOST)
        return self.process.returncode, said


def test_v1_top_in_a_terminal_stays_up_to_date_sorts_and_quits(user: User) -> None:
    with user.program():
        terminal = Terminal(user)
        terminal.until("hits/s ▼")
        terminal.press("s")
        terminal.until("hit rate ▼")
        terminal.press("x")
        terminal.press("s")
        terminal.until("misses ▼")
        terminal.press("q")
        assert terminal.ended() == (0, b"")


def test_v1_top_ends_quietly_on_ctrl_c(user: User) -> None:
    with user.program():
        terminal = Terminal(user)
        terminal.until("hits/s ▼")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ended() == (130, b"")


def test_v1_top_says_so_when_the_process_has_ended(user: User) -> None:
    with user.program() as program:
        terminal = Terminal(user)
        terminal.until("hits/s ▼")
    status, said = terminal.ended()
    assert status == 1
    assert said.decode() == f"tenure top: process {program.pid} has ended, or shows its figures no longer\n"


# --- who is seen ----------------------------------------------------------------------------------


def test_v1_top_where_nobody_has_opted_in_nothing_is_imported_and_no_thread_begun(user: User) -> None:
    look = """
tenure.configure()
tenure.configure(top=False)
assert not [name for name in sys.modules if name.startswith("tenure._top")]
import threading
assert threading.active_count() == 1
"""
    for wanted in ("", "0"):
        with user.program(look, wanted=wanted) as program:
            assert user.refusal() == user.refusal("--json") == NOBODY
            said = user.refusal(program.pid)
            assert said.startswith(f"process {program.pid} does not show its figures. Start it with TENURE_TOP=1")
    assert user.names() == []


def test_v1_top_is_asked_for_and_declined_by_the_program_too(user: User) -> None:
    steps = """
import pathlib
from tenure._top import places
path = pathlib.Path(places.socket_of(places.made(), os.getpid()))
tenure.configure(top=True)
assert path.exists()
tenure.configure(top=False)
assert not path.exists()
tenure.configure(top=True)
tenure.configure(top=True, drain="1 s")
assert path.exists()
try:
    tenure.configure(top="yes")
except TypeError as error:
    assert str(error) == "top must be True or False, not 'yes'. Example: top=True"
else:
    raise AssertionError
"""
    with user.program(steps, wanted="") as program:
        assert user.shown()["pid"] == program.pid
    with user.program("tenure.configure(top=False)\n"):
        assert user.refusal() == NOBODY


def test_v1_top_lists_the_processes_where_there_are_several(user: User) -> None:
    with user.program() as one, user.program() as two:
        head, *lines = user.refusal("--json").splitlines()
        assert head == "there are several processes. Write one of"
        assert [line.split()[2] for line in lines] == [str(pid) for pid in sorted((one.pid, two.pid))]
        assert all("python -c  process" in line for line in lines)
        assert user.shown(two.pid)["pid"] == two.pid


def test_v1_top_does_not_list_itself_where_a_shell_exports_the_setting(user: User) -> None:
    user.environment["TENURE_TOP"] = "1"
    assert user.refusal() == NOBODY
    with user.program() as program:
        assert user.shown()["pid"] == program.pid


def test_v1_top_finds_a_process_with_the_environment_of_a_service(user: User) -> None:
    login = user.environment.pop("XDG_RUNTIME_DIR")
    with user.program() as program:
        user.environment["XDG_RUNTIME_DIR"] = login
        assert user.names() == []
        assert user.shown()["pid"] == user.shown(program.pid)["pid"] == program.pid


def test_v1_top_names_a_process_by_its_module_or_script_without_arguments(user: User, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import tenure\nprint('ready', flush=True)\ninput()\n")
    for arguments, name in ((["-m", "shop"], "python -m shop"), ([str(tmp_path / "shop.py")], "shop.py")):
        command = [sys.executable, *arguments, "--password=hunter2"]
        environment = {**user.environment, "TENURE_TOP": "1"}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=tmp_path
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
            shown = user.shown()
            program.communicate(b"\n", LOST)
        assert shown["program"] == name
        assert "hunter2" not in str(shown)


@pytest.mark.parametrize(
    ("pid", "said"),
    [
        ("shop", "'shop' is no number of a process, as in tenure top 4711"),
        ("0", "'0' is no number of a process"),
        ("²", "'²' is no number of a process"),
        ("4194305", "there is no process 4194305. `tenure top` alone lists those that show their figures"),
        ("9" * 40, "there is no process 999"),
    ],
)
def test_v1_top_says_what_to_write_for_a_wrong_process(user: User, pid: str, said: str) -> None:
    assert user.refusal(pid).startswith(said)


@pytest.mark.parametrize("interval", ["0", "nan", "inf", "soon"])
def test_v1_top_refuses_an_interval_that_cannot_be(user: User, interval: str) -> None:
    done = user.top("--interval", interval)
    assert done.returncode == 2
    assert f"{interval!r} is no number of seconds from 0.1 to 86400, as in --interval 2" in done.stderr


def test_v1_top_without_rich_says_what_to_install_and_prints_json(user: User) -> None:
    without = "import sys\nsys.modules['rich'] = None"
    with user.program():
        assert 'pip install "tenure[top]"' in user.refusal(first=without)
        assert user.top("--json", first=without).returncode == 0


# --- ends, forks and other libraries --------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise OSError", "tenure.shutdown()"])
def test_v1_top_the_end_of_a_program_removes_its_socket(user: User, ending: str) -> None:
    status = {"sys.exit(3)": 3, "raise OSError": 1}.get(ending, 0)
    text = f"import atexit\nprint('ready', flush=True)\nsys.stdin.readline()\n{ending}\nsys.exit(0)\n"
    with user.program(text, status=status) as program:
        assert user.names() == [f"{program.pid}.sock"]
    assert user.names() == []


def test_v1_top_a_process_that_begins_removes_what_killed_ones_have_left_and_nothing_else(user: User) -> None:
    """Workers come and go where nobody ever looks."""
    with user.program(status=-signal.SIGKILL) as killed, user.program() as first:
        elsewhere = socket.socket(socket.AF_UNIX)
        elsewhere.bind(str(user.sockets / "4194305.sock"))
        elsewhere.listen()  # As a process of another container does.
        killed.kill()
        killed.wait(LOST)
        with user.program() as second:
            assert user.names() == sorted(f"{pid}.sock" for pid in (first.pid, second.pid, 4194305))
        elsewhere.close()


@pytest.mark.parametrize("with_its_number", [False, True])
def test_v1_top_removes_the_socket_of_a_process_that_was_killed(user: User, with_its_number: bool) -> None:
    with user.program(status=-signal.SIGKILL) as program:
        program.kill()
        program.wait(LOST)
        assert user.names() == [f"{program.pid}.sock"]
        if with_its_number:
            assert user.refusal(program.pid).startswith(f"there is no process {program.pid}")
        else:
            assert user.refusal() == NOBODY
        assert user.names() == []


def test_v1_top_a_forked_child_shows_itself_and_leaves_its_parents_socket_alone(user: User) -> None:
    forking = """
import pathlib, warnings
warnings.simplefilter("ignore")
(begun, begins), (ended, ends) = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    connect("a child's")
    os.write(begins, b"!")
    os.read(ended, 1)
    sys.exit(0)
os.read(begun, 1)
pathlib.Path(os.environ["XDG_RUNTIME_DIR"], "child").write_text(str(child))
print("ready", flush=True)
sys.stdin.readline()
os.write(ends, b"!")
os.waitpid(child, 0)
print("alone", flush=True)
sys.stdin.readline()
sys.exit(0)
"""
    with user.program(forking) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        child = int((user.folder / "child").read_text())
        assert user.names() == sorted(f"{pid}.sock" for pid in (program.pid, child))
        assert user.shown(child)["functions"][0]["misses"] == 1
        assert user.shown(program.pid)["functions"][0]["misses"] == 2
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "alone\n"
        assert user.names() == [f"{program.pid}.sock"]
        assert user.shown()["pid"] == program.pid
    assert user.names() == []


def test_v1_top_whoever_connects_and_does_not_read_stops_nobody(user: User) -> None:
    many = """
from tenure._top import server
server.PATIENCE = 0.05
def made(number):
    def f():
        return []
    f.__qualname__ = f"function_{number}"
    return tenure.cache_resource(f)
functions = [made(number) for number in range(1000)]
print("ready", flush=True)
sys.stdin.readline()
server.PATIENCE = 600
print("patient", flush=True)
sys.stdin.readline()
sys.exit(0)
"""
    with user.program(many) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def connected() -> socket.socket:
            idle = socket.socket(socket.AF_UNIX)
            idle.connect(str(user.sockets / f"{program.pid}.sock"))
            return idle

        for idle in [connected() for _ in range(3)]:
            given_up = select.poll()
            given_up.register(idle, 0)
            assert given_up.poll(LOST * 1000)
            idle.close()
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "patient\n"
        assert len(user.shown()["functions"]) == 1001
        # The program does not wait for this one either, as it ends.
        idle = connected()
    idle.close()


def test_v1_top_waits_for_whoever_looks_whatever_the_programs_default_for_sockets(user: User) -> None:
    hasty = """
import socket
socket.setdefaulttimeout(0.001)
from tenure._top import server
server.PAUSE = 600
tenure.configure(top=True)
"""
    with user.program(hasty, wanted="") as program:
        for _ in range(2):
            assert user.shown()["pid"] == program.pid


def test_v1_top_says_so_where_a_process_is_stopped(user: User) -> None:
    hurry = "from tenure._top import looks\nlooks.PATIENCE = 0.05"
    with user.program() as program:
        program.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            for arguments in ((), (program.pid,)):
                assert f"kill -CONT {program.pid}" in user.refusal(*arguments, first=hurry)
        finally:
            program.send_signal(signal.SIGCONT)


def test_v1_top_a_file_number_that_is_anothers_by_now_is_left_alone(user: User) -> None:
    """A program that becomes a daemon closes all of them."""
    listener = server._Listener(str(user.folder / "socket"))
    number = listener._socket.fileno()
    with socket.create_server(("127.0.0.1", 0)) as others:
        os.dup2(others.fileno(), number)
        serving = server._Server()
        serving._running.acquire()
        serving._serve(listener)  # It ends at once.
        listener.wake()
        with socket.create_connection(others.getsockname()):
            others.accept()[0].close()
        assert os.fstat(number).st_ino == os.fstat(others.fileno()).st_ino
    os.close(number)


PATCHED = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": "import warnings\nwarnings.simplefilter('ignore')\nimport eventlet\neventlet.monkey_patch()\n",
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("library", PATCHED)
def test_v1_top_answers_where_greenlets_stand_for_threads(user: User, library: str, when: str) -> None:
    """Also while none of them gives way to another."""
    # Not imported here: eventlet has every later fork of the process warn.
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"not to be had for this Python: {library}")
    patch = PATCHED[library]
    first, text = (patch, "") if when == "before" else ("", f"{patch}connect('again')\n")
    # Its file is read by the system, so that nothing else runs meanwhile.
    waiting = "\nprint('ready', flush=True)\nfrom posix import read\nread(0, 1)\n"
    with user.program(text + waiting + "sys.exit(0)\n", first=first) as program:
        assert user.shown()["pid"] == program.pid
        assert user.shown()["functions"][0]["entries"] >= 2
    assert user.names() == []


# --- who may look ---------------------------------------------------------------------------------


def test_v1_top_only_its_owner_can_open_the_socket(user: User) -> None:
    with user.program() as program:
        path = user.sockets / f"{program.pid}.sock"
        folder, file = user.sockets.stat(), path.lstat()
        assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o700, os.geteuid())
        assert (stat.S_IMODE(file.st_mode), stat.S_ISSOCK(file.st_mode)) == (0o600, True)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_v1_top_refuses_a_folder_that_is_open_to_others(user: User, mode: int) -> None:
    user.sockets.mkdir()
    user.sockets.chmod(mode)
    with user.program() as program:
        said = f"{user.sockets} is open to others (mode {mode:04o}). Close it: chmod 700 {user.sockets}"
        assert user.refusal() == said
        assert user.refusal(program.pid).endswith(said)
        assert user.names() == []
        assert program.poll() is None


def test_v1_top_a_program_that_cannot_be_seen_goes_on_and_says_why_once(user: User) -> None:
    user.sockets.mkdir(mode=0o755)
    with user.program("tenure.configure(top=True)\ntenure.configure()\n"):
        pass
    assert user.said.startswith(f"`tenure top` cannot see this process: {user.sockets} is open to others (mode 0755)")
    assert user.said.count("\n") == 1


def test_v1_top_refuses_a_folder_that_is_a_link_or_a_file(user: User) -> None:
    own = user.folder / "own"
    own.mkdir(mode=0o700)
    user.sockets.symlink_to(own)
    with user.program():
        assert user.refusal() == f"{user.sockets} is a link and must be a folder. Remove it: rm {user.sockets}"
        assert list(own.iterdir()) == []
    user.sockets.unlink()
    user.sockets.write_text("")
    assert user.refusal().startswith(f"{user.sockets} is a file and must be a folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_v1_top_refuses_a_folder_of_another_user(user: User) -> None:
    user.sockets.mkdir(mode=0o700)
    os.chown(user.sockets, 65534, 65534)
    with user.program():
        assert user.refusal().startswith(f"{user.sockets} belongs to another user (uid 65534). Have it removed")
        assert user.names() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_v1_top_does_not_use_the_runtime_folder_of_another_user(user: User) -> None:
    """After `su`, it is still in the environment."""
    os.chown(user.folder, 65534, 65534)
    with user.program() as program:
        assert user.names() == []
        assert user.shown()["pid"] == program.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_v1_top_says_whose_a_process_of_another_user_is(user: User) -> None:
    with subprocess.Popen(["sleep", "60"], user=65534, group=65534) as other:
        try:
            assert user.refusal(other.pid).startswith(f"process {other.pid} is another user's, and only that one can")
        finally:
            other.kill()


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not say who has connected")
def test_v1_top_tells_another_user_nothing_who_has_come_through_to_the_socket(user: User) -> None:
    with user.program("from tenure._top import server\nserver._serving['here']._user += 1\n") as program:
        assert user.refusal(program.pid) == f"process {program.pid} shows nothing: it ended while it answered"


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not say who has connected")
def test_v1_top_believes_no_other_user(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with user.program() as program:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
        with pytest.raises(PermissionError, match="is served by another user"):
            looks._at(str(user.sockets / f"{program.pid}.sock"))


def test_v1_top_says_so_where_the_path_of_a_socket_would_be_too_long(user: User) -> None:
    deep = user.folder / ("d" * 100)
    deep.mkdir(mode=0o700)
    user.environment["XDG_RUNTIME_DIR"] = str(deep)
    with user.program():
        pass
    assert "is too long for a socket. Set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path" in user.said
