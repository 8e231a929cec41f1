"""Units of kitchens, metric and US, and what a piece of something weighs.

Weights and volumes: NIST special publication 811, appendix B (https://www.nist.gov/pml/special-publication-811).
"""

from __future__ import annotations

MOST_GRAMS = 10_000  # of one ingredient
GRAMS: dict[str, float] = {  # of a unit of weight
    **{"g": 1, "gr": 1, "gram": 1, "gramme": 1, "mg": 0.001, "kg": 1000, "kilo": 1000, "kilogram": 1000},
    **{"kilogramme": 1000, "dag": 10, "oz": 28.35, "ounce": 28.35, "lb": 453.6, "pound": 453.6},
}
US = {"oz", "ounce", "lb", "pound"}  # where grams stand beside them, those are what was weighed
ML: dict[str, float] = {  # of a unit of volume, US customary; a glass and smaller ones are common sizes
    **{"ml": 1, "milliliter": 1, "millilitre": 1, "cl": 10, "dl": 100, "l": 1000, "liter": 1000},
    **{"litre": 1000, "cc": 1, "tsp": 4.93, "teaspoon": 4.93, "tbsp": 14.79, "tbs": 14.79, "tbl": 14.79},
    **{"tablespoon": 14.79, "cup": 236.6, "pint": 473.2, "pt": 473.2, "quart": 946.4, "qt": 946.4},
    **{"gallon": 3785, "gal": 3785, "glass": 200, "mug": 250, "pinch": 0.4, "dash": 0.6, "drop": 0.05},
    **{"splash": 5, "spoon": 14.79, "spoonful": 14.79, "fl oz": 29.57, "fluid ounce": 29.57, "smidgen": 0.2},
    **{"ladle": 120, "shot": 44},
}
PIECES: dict[str, float] = {  # grams of a kitchen's pieces, whatever lies in them: estimates of common sizes
    **{"bunch": 60, "sprig": 1, "handful": 30, "knob": 15, "stalk": 40, "rib": 40, "leaf": 0.5, "slice": 25},
    **{"thread": 0.01, "strand": 0.01, "can": 400, "tin": 400, "jar": 350, "head": 500, "cube": 10},
    **{"sheet": 20, "fillet": 150, "filet": 150, "stick": 113, "strip": 15, "rasher": 28, "wedge": 10},
    **{"bulb": 40, "breast": 175, "scoop": 60, "bottle": 700, "clove": 3, "ear": 100, "dollop": 15},
}
PIECES_OF = {  # where a piece of one thing weighs something else; sources as of ``foods``
    **{("head", "garlic"): 40, ("bulb", "fennel"): 234, ("stick", "cinnamon"): 3, ("stick", "celery"): 40},
    **{("slice", "bread"): 29, ("slice", "bacon"): 28, ("strip", "bacon"): 28, ("leaf", "bay"): 0.2},
    **{("clove", "clove"): 0.2, ("slice", "lemon"): 7, ("stick", "carrot"): 10, ("slice", "toast"): 29},
    **{("slice", "ham"): 28, ("slice", "cheese"): 21},
}
CLOSED = {
    "pack",
    "package",
    "packet",
    "envelope",
    "bag",
    "box",
    "carton",
    "tub",
    "container",
    "sachet",
    "pouch",
    "block",
}
FILLED = {*CLOSED, "can", "tin", "jar", "bottle", "piece"}  # a weight in brackets beside one is that of each
SPELLED: dict[str, float] = {
    **{"half": 0.5, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "twelve": 12, "dozen": 12, "couple": 2, "few": 3, "a": 1, "an": 1},
    **{"quarter": 0.25},
}
