"""A stand-in for a search node with the Learning to Rank plugin, as strict as one; standard library and numpy only.

It speaks what Rankhammer speaks and refuses the rest, with the statuses and words that real nodes of versions 2.19.6,
3.6.0 and 3.8.0 were seen to use. Scores of text queries are no BM25, only a fixed function of query and document.
"""

from ltr_node.elastic import ElasticNode
from ltr_node.server import VERSIONS, LtrNode

__all__ = ["VERSIONS", "ElasticNode", "LtrNode"]
