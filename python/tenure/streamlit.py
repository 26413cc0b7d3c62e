"""Makes `st.cache_resource` Tenure's own.

    import tenure.streamlit

    tenure.streamlit.install()

after which every `@st.cache_resource` in the process runs on Tenure. Call it before the app's modules are imported:
decorators that have already run keep what they had. For an unchanged app, `tenure run app.py` does it.
"""

from __future__ import annotations

from tenure.hosts.streamlit import version

version.require()

from tenure.hosts.streamlit.adapter import install, uninstall  # noqa: E402

__all__ = ["inspector", "install", "uninstall"]


def inspector(*, show_arguments: bool = False, read_only: bool = False) -> None:
    """Draws the inspector: what this process keeps, as a page of the app that calls it.

    Functions and entries with age, hits, build time, scope and session, charts, the last builds and releases, and the
    members of the fleet, looked at anew every two seconds. A session is shown by a short digest, and a key never is.

    Whoever can open the page sees what all users of the app have, and can clear it: ask first who it is.

    Parameters
    ----------
    show_arguments
        Whether to show the arguments of what is built from now on. They are kept as text then, numbers and strings as
        Python writes them and anything else by the name of its class; those whose names begin with an underscore are
        left out.
    read_only
        Whether nothing can be cleared or expired from the page.

    Examples
    --------
    A page of an app, `pages/cache.py`:

    >>> import streamlit as st
    >>> import tenure.streamlit
    >>> tenure.streamlit.inspector(read_only=not st.session_state.get("is_operator"))
    """
    # Of Streamlit itself, which an app may not have begun when it installs.
    from tenure.hosts.streamlit import inspector as page

    page.draw(show_arguments=show_arguments, read_only=read_only)
