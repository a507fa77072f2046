"""The report of a version: one HTML page with all that it shows, and the map of its frequent words. Needs no Spark."""

from w2vspark.report.page import make_report
from w2vspark.report.word_map import can_make_map, make_map

__all__ = ["can_make_map", "make_map", "make_report"]
