"""Iris: which of three varieties a flower is. One synthetic flower a day; its label is known a day later.

sources      150 reference flowers, or a person's CSV; the daily flower from per-class copulas
features     which flowers are labelled, which are not yet predicted
training     six model families, nested cross-validation, ONNX, champion and challenger
inference    probabilities and 90 % label sets, each with where it came from
monitoring   predictions beside outcomes: accuracy, calibration, coverage, drift
"""
