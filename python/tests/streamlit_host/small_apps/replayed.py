import pandas as pd
import streamlit as st

CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:02.000\nLook!\n"


@st.cache_resource(show_spinner=False)
def report(year):
    st.subheader(f"Report {year}")
    frame = pd.DataFrame({"month": [1, 2, 3], "sales": [10, 20, 30]})
    with st.expander("Details"):
        st.table(frame)
    first, second = st.columns(2)
    first.metric("Sales", int(frame.sales.sum()))
    second.line_chart(frame, x="month", y="sales")
    st.success("Done")
    return frame


frame = report(2024)
st.download_button("Download", frame.to_csv(index=False), "report.csv", "text/csv")
st.video(b"moving pictures", format="video/mp4", subtitles={"English": CAPTIONS})
st.audio(b"RIFF sound", format="audio/wav")
if st.checkbox("Another year"):
    report(2025)
