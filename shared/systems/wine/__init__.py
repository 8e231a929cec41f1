"""Wine: how good a wine is, from eleven measures. Each day one real wine from the reserve, and synthetic ones.

sources      UCI's 6,497 wines, or a person's files; one in sixteen is kept in reserve and comes on its day
synthesis    which generator makes the most useful, most lifelike wines from the real ones, and its wine of the day
features     which wines are graded, which are not yet predicted; ratios of the measures
training     model families on groups of identical wines, nested cross-validation, champion and challenger
inference    expected grade, 90 % interval and a probability a grade, each with where it came from
monitoring   predictions beside grades, real and synthetic wines apart: error, agreement, coverage, drift
"""
