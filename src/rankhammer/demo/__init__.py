"""The demo's input: a real corpus from the standard library, and a click log simulated on it by a known model."""

from rankhammer.demo.make import SIZES, CorpusSize, CorpusSummary, DemoSummary, make_demo

__all__ = ["SIZES", "CorpusSize", "CorpusSummary", "DemoSummary", "make_demo"]
