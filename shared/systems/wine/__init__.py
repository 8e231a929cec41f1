"""Wine: how good a wine is, from eleven measures. Each day one real wine from the reserve, and synthetic ones.

sources       UCI's 6,497 wines, or a person's files; one in sixteen is kept in reserve and comes on its day
features      which wines are graded, which are not yet predicted; ratios of the measures
plausible     what must be true of a wine, learned from the real ones
synthesizers  ways to make wines, each fitted, drawn from and kept without pickle
synthesis     which of them makes the most useful, most lifelike wines; the wine of the day
model         families and their stack, chosen on inner folds; grades and intervals
training      judged on wines not learned from, kept as ONNX, champion and challenger
inference     expected grade, 90 % interval and a probability a grade; what moved it, what would lift it
monitoring    predictions beside grades, real and synthetic wines apart: error, agreement, coverage, drift
"""
