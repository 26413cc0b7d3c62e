"""The `tenure` command: runs an unchanged Streamlit app on Tenure, and shows the figures of a running process."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tenure import _native

USAGE = """\
usage: tenure run [--warm module:function] app.py [streamlit options] [-- arguments of the app]
       tenure top [PID] [--json] [--interval SECONDS]
       tenure --version

tenure run: runs a Streamlit app, unchanged, with st.cache_resource on Tenure.
  --warm module:function   call this as the server starts, before the first user comes; may be repeated. A cached
                           function is built; another one may return what f.warm([...]) gave
The other options are those of `streamlit run`; `tenure run --help` lists them.

tenure top: shows the cached functions of a running process that has TENURE_TOP=1 in its environment, in the terminal or
as JSON; `tenure top --help` says more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:
        return _run(given[1:])
    try:
        status = _show(given)
        sys.stdout.flush()
    except BrokenPipeError:
        return _cut_off()
    return status


def _show(given: Sequence[str]) -> int:
    """What a command does that only writes."""
    if not given or given[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if given else 2
    if given[0] in ("-V", "--version"):
        print(f"tenure {_native.__version__}")
        return 0
    if given[0] == "top":
        from tenure._top import command

        return command.main(given[1:])
    return _fail(f"tenure: there is no command {given[0]!r}\n{USAGE}", 2)


def _cut_off() -> int:
    """Whoever reads has enough, as `head` has. What is still to be written at the end has a place to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(arguments: list[str]) -> int:
    from tenure.hosts.streamlit import version

    wrong = version.complaint()
    if wrong is not None:
        return _fail(f"tenure run: {wrong}")

    import click
    from streamlit.web import cli

    import tenure.streamlit
    from tenure import _warming

    arguments, named = _warming.taken(arguments)
    # Streamlit's own command reads the options, so that they mean what they mean to `streamlit run`.
    command = cli.main.commands["run"]
    try:
        # It writes the help, where that is asked for.
        context = command.make_context("tenure run", arguments)
    except BrokenPipeError:
        return _cut_off()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    try:
        with context:
            wrong = _missing(str(context.params["target"])) or _busy(context.params)
            if wrong is not None:
                return _fail(f"tenure run: {wrong}")
            tenure.streamlit.install()
            wrong = _warming.begin(named, str(context.params["target"]))
            if wrong is not None:
                return _fail(f"tenure run: {wrong}")
            command.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return 0


def _missing(target: str) -> str | None:
    """What is wrong with the app's path, or None."""
    if "://" in target:
        return None
    path = Path(target)
    if path.is_dir():
        path /= "streamlit_app.py"
    if path.exists():
        return None
    return f"there is no file {path} (looked in {Path.cwd()})"


def _busy(options: Mapping[str, Any]) -> str | None:
    """What is wrong with the port, or None.

    A port that nobody chose is Streamlit's to choose: it takes the next free one. A configuration file is not read
    here, since Streamlit takes options that come after it for changes at run time.
    """
    port = options.get("server_port") or os.environ.get("STREAMLIT_SERVER_PORT")
    address = options.get("server_address") or os.environ.get("STREAMLIT_SERVER_ADDRESS")
    try:
        number = int(port or 0)
    except ValueError:
        return None  # Streamlit will say what it makes of it.
    if number == 0 or _can_bind(address, number):
        return None
    other = number + 1 if number < 65535 else 8501
    return f"port {number} is in use. Choose another with --server.port, as in --server.port {other}"


def _can_bind(address: str | None, port: int) -> bool:
    try:
        places = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return True  # Not an address that can be tried here; Streamlit will say what it makes of it.
    for family, kind, protocol, _, place in places:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if os.name == "posix":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
    return True


def _fail(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status
