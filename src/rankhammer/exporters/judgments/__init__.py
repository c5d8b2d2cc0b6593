"""Judgment exporters: graded judgments in the formats of tools that measure search quality."""

from rankhammer.exporters.judgments.base import JudgedQuery, JudgmentExporter
from rankhammer.exporters.judgments.files import JudgmentFiles
from rankhammer.exporters.judgments.queries import judged_queries

__all__ = ["JudgedQuery", "JudgmentExporter", "JudgmentFiles", "judged_queries"]
