"""K14: what Streamlit's file uploader gives is a key by content, position and name.

All kinds of files: `keys/test_k14_files`.
"""

from __future__ import annotations

import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

import tenure

pytestmark = pytest.mark.streamlit


def _upload(file_id: str, name: str, data: bytes) -> UploadedFile:
    return UploadedFile(UploadedFileRec(file_id, name, "text/csv", data), FileURLs(file_id=file_id))


def test_k14_an_upload_counts_by_content_position_and_name() -> None:
    """The same file uploaded again, by anyone, is the same argument."""

    @tenure.cache_resource
    def load(file):
        return object()

    first = load(_upload("1", "a.csv", b"x,y"))
    assert load(_upload("2", "a.csv", b"x,y")) is first
    assert load(_upload("1", "a.csv", b"x,z")) is not first
    assert load(_upload("1", "b.csv", b"x,y")) is not first
    begun = _upload("1", "a.csv", b"x,y")
    begun.read(1)
    assert load(begun) is not first
    assert load.info().builds == 4
