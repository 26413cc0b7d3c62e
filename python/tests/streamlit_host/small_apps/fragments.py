import streamlit as st


@st.cache_resource
def store():
    return {"likes": 0}


@st.fragment
def likes():
    if st.button("Like"):
        store()["likes"] += 1
    st.write(f"{store()['likes']} likes")


@st.dialog("About")
def about():
    st.write(f"An app with {store()['likes']} likes")


st.header("A page")
likes()
if st.button("About"):
    about()
tab, other = st.tabs(["One", "Two"])
tab.write("first")
other.json(store())
