import threading

import numpy as np
import streamlit as st


class Model:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()

    def predict(self, values):
        with self.lock:
            return float(np.sum(values))


@st.cache_resource(show_spinner="Loading the model...")
def load_model(name, lock=threading.Lock(), history=[]):
    history.append(name)
    with lock:
        st.session_state["loads"] = st.session_state.get("loads", 0) + 1
        return Model(name)


def main():
    st.set_page_config(page_title="Prediction")
    name = st.sidebar.selectbox("Model", ["small", "large"])
    model = load_model(name)
    first = st.slider("First", 0, 10, 3)
    second = st.number_input("Second", value=4)
    if st.button("Predict"):
        st.metric("Prediction", model.predict(np.array([first, second])))
    st.caption(f"{model.name}, one of {st.session_state['loads']} loaded here")


if __name__ == "__main__":
    main()
