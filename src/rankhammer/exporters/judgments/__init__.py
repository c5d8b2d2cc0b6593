"""Judgment exporters: graded judgments in the formats of tools that measure search quality."""

from rankhammer.exporters.judgments.base import JudgedQuery, JudgmentExporter, judged_queries
from rankhammer.exporters.judgments.files import JudgmentFiles

__all__ = ["JudgedQuery", "JudgmentExporter", "JudgmentFiles", "judged_queries"]
