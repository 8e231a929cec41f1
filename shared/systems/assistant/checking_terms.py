"""Words of steps and titles that ``checking`` judges by, as tables: data, and no rule; "_" stands for a blank."""

from __future__ import annotations

from shared.systems.assistant.foods import word_set

GENERIC = {  # what a step may call foods of these kinds
    "meat": {"meat", "poultry"},
    "fish": {"fish", "seafood"},
    "seafood": {"fish", "seafood"},
    "vegetable": {"vegetable", "potato", "legume"},
    "fruit": {"fruit"},
    "berry": {"fruit"},
    "pasta": {"pasta"},
    "noodle": {"pasta"},
    "cheese": {"cheese"},
    "bean": {"legume"},
    "nut": {"nut"},
    "herb": {"herb"},
    "spice": {"seasoning"},
    "seasoning": {"seasoning", "herb"},
    "cereal": {"grain"},
    "chili": {"vegetable"},
}
MADE = word_set(  # what a step makes, does, or means by a word that is also a food's
    "batter broth bun clove custard date dough dressing extract gravy hamburger ice juice meatball pastry"
    " pickle pie_crust port puree rib roll salad sauce savory season sprinkle squash starch steak stock"
    " swede sweet syrup tea toast yam gluten biscuit cookie bread cracker risotto sage mint_sauce"
    " salad_dressing toast liquid candy rocket mustard_seed"
)
DONE = word_set("toast roll wrap perch skate port tart sponge dough batter crumb")  # rather done or made than brought
DISHES = word_set(  # what a title calls the dish itself, besides: hummus, of chickpeas
    "hummus pesto salsa guacamole chutney relish marmalade jam marinara granola muesli popcorn hash_brown french_fry"
    " pasta noodle egg_noodle lasagna lasagne gnocchi ravioli tortellini ramen udon tortilla corn_tortilla bagel pita"
    " naan croissant baguette ciabatta english_muffin taco_shell pizza_dough ice_cream tea coffee soda applesauce"
    " apple_sauce tomato_sauce hot_sauce bbq_sauce barbecue_sauce enchilada_sauce ketchup sauerkraut kimchi caramel"
    " marshmallow marzipan sausage hot_dog cereal polenta oatmeal mayonnaise mayo teriyaki liqueur vegetable"
    " vegetable_broth vegetable_stock chicken_broth chicken_stock beef_broth beef_stock bone_broth fish_stock"
    " salad_dressing dulce_de_leche mustard"
)
HEATS = word_set(
    "cook fry boil bake roast grill simmer saute sauté steam heat stew braise poach broil sear brown"
    " microwave barbecue oven cooked fried boiled baked roasted grilled simmered steamed heated frying"
    " boiling baking roasting cooking simmering"
)
RAW = {  # foods that make ill when raw, by kind, and the heat they need: USDA FSIS, safe minimum internal temperatures
    "poultry": "74 °C inside",
    "meat": "71 °C inside when minced, 63 °C in one piece",
    "egg": "71 °C, or a firm white and yolk",
    "seafood": "63 °C inside",
    "legume": "boiling for at least 10 minutes where they are dried",
}
READY = word_set("ham prosciutto salami pepperoni chorizo tofu tempeh hummus pea")
