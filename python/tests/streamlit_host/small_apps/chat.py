import streamlit as st


class Client:
    def __init__(self, key):
        self.key = key

    def complete(self, messages):
        yield from f"You said {len(messages)} things, last: {messages[-1]['content']}".split(" ")


@st.cache_resource
def get_client(key: str) -> Client:
    return Client(key)


st.title("Echo bot")
client = get_client("sk-123")
if "messages" not in st.session_state:
    st.session_state.messages = []
for message in st.session_state.messages:
    with st.chat_message(message["role"]):
        st.markdown(message["content"])
if prompt := st.chat_input("What is up?"):
    st.session_state.messages.append({"role": "user", "content": prompt})
    with st.chat_message("user"):
        st.markdown(prompt)
    with st.chat_message("assistant"):
        answer = st.write_stream(word + " " for word in client.complete(st.session_state.messages))
    st.session_state.messages.append({"role": "assistant", "content": answer})
