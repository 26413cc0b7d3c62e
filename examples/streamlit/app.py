"""The entry of the demo: a seed shop's order desk, in seven pages.

Almost nothing here knows Tenure: the pages use `st.cache_resource`. Run it with

    tenure run examples/streamlit/app.py
"""

import streamlit as st

st.set_page_config(page_title="Hedgerow Seeds", page_icon=":material/potted_plant:", layout="wide")

pages = {
    "Shop": [
        st.Page("views/orders.py", title="Orders", icon=":material/receipt_long:", default=True),
        st.Page("views/desk.py", title="Your desk", icon=":material/edit_note:"),
        st.Page("views/catalogue.py", title="Catalogue", icon=":material/search:"),
        st.Page("views/slips.py", title="Paper slips", icon=":material/draw:"),
        st.Page("views/labels.py", title="Labels", icon=":material/local_shipping:"),
        st.Page("views/meadow.py", title="Meadow mix", icon=":material/grass:"),
    ],
    "Behind it": [
        st.Page("views/inside.py", title="What was built", icon=":material/inventory_2:"),
    ],
}

page = st.navigation(pages)
st.sidebar.caption(
    "Hedgerow Seeds is a made-up wholesaler. Open this address in a second window to be a second "
    "clerk: what is global is shared with it, what is session-scoped is not."
)
page.run()
