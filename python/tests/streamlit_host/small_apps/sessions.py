import streamlit as st


class Cart:
    def __init__(self):
        self.items = []

    def close(self):
        self.items.clear()


@st.cache_resource(scope="session", on_release=lambda cart: cart.close())
def cart():
    return Cart()


with st.form("add", clear_on_submit=True):
    item = st.text_input("Item")
    if st.form_submit_button("Add") and item:
        cart().items.append(item)
for item in cart().items:
    st.write(f"- {item}")
st.write(f"{len(cart().items)} in your cart")
