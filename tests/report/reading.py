"""A report, read by Python's own parser of HTML."""

import base64
import json
from html.parser import HTMLParser
from typing import Any

import numpy as np


class Page(HTMLParser):
    """The tags of a page with their attributes, and the texts of its scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []  # of scripts, styles and the title
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if tag in ("script", "style", "title") and data.strip():
            self.texts.append((tag, attributes, data))

    @property
    def data(self) -> dict[str, Any]:
        """The data that the page's script draws."""
        (text,) = [text for _, attributes, text in self.texts if attributes.get("id") == "data"]
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def policy(self) -> dict[str, list[str]]:
        """The content security policy, by directives."""
        (policy,) = [
            attributes["content"]
            for tag, attributes in self.tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        parts = [part.split() for part in str(policy).split(";")]
        return {name: values for name, *values in parts}


def unpacked(text: str, kind: str) -> np.ndarray:
    """Numbers of the page's data."""
    return np.frombuffer(base64.b64decode(text), kind)
