import streamlit as st


@st.cache_resource
def counter():
    return {"builds": 0}


@st.cache_resource(max_entries=5.0, show_spinner=0, ttl="1h")
def table(size):
    counter()["builds"] += 1
    return list(range(size))


size = st.radio("Size", [3, 5])
st.write(table(size))
left, right = st.columns(2)
if left.button("Clear this"):
    table.clear(size)
if right.button("Clear all tables"):
    table.clear()
if st.button("Clear everything"):
    st.cache_resource.clear()
st.metric("Builds", counter()["builds"])
