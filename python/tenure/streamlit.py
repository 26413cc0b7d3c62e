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

__all__ = ["install", "uninstall"]
