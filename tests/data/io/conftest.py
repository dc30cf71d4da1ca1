"""Fixtures that write the files to read."""

import json

import pytest


@pytest.fixture
def write(tmp_path):
    def put(text: str | bytes, name: str = "a.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


@pytest.fixture
def notes(tmp_path):
    def put(content: object, name: str = "a.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return put
