"""Sizes of a model trained side by side by Spark, scored on held-out data, and what each decides where."""
