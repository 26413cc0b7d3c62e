import sqlite3

import streamlit as st


@st.cache_resource
def get_connection(path=":memory:"):
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("create table pets (owner text, pet text)")
    connection.executemany("insert into pets values (?, ?)", [("Mary", "dog"), ("John", "cat"), ("Robert", "bird")])
    return connection


@st.cache_data(ttl=600)
def run_query(query):
    return get_connection().execute(query).fetchall()


st.title("Pets")
for row in run_query("select * from pets order by owner"):
    st.write(f"{row[0]} has a :{row[1]}:")
owner = st.selectbox("Owner", ["Mary", "John", "Robert"])
st.dataframe(get_connection().execute("select pet from pets where owner = ?", (owner,)).fetchall())
