"""An app whose models are loaded before the first user comes."""

import book
import models
import streamlit as st

import tenure

st.title("Warm")
book.tell("small", models.model("small").name)
book.tell("large", models.model("large").name)
book.tell("ready", tenure.ready())
book.end_of_run()
