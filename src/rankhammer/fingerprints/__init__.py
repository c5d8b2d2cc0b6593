"""Fingerprints of hand-offs: parameters, inputs and the code that a stage imports."""
