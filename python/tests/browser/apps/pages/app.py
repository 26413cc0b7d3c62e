"""An app of many pages; each page shows one case, and is a file in `cases/`."""

from pathlib import Path

import streamlit as st

cases = sorted(Path(__file__).parent.glob("cases/*.py"))
page = st.navigation([st.Page("front.py", title="front"), *(st.Page(case, title=case.stem) for case in cases)])
st.title(page.title)
page.run()
