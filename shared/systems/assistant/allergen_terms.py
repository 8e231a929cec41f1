"""What names of foods say about allergens and animals, as tables for ``allergens``: data, and no rule.

A line a table; a term in "_" is several words. Where one term lies in another, the longer one alone counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.systems.assistant.foods import word_set, words

# Terms whose presence means the allergen; what usually holds it counts as holding it, such as flour without a grain.
TERMS = {
    "gluten": "wheat rye barley oat oatmeal spelt kamut farro einkorn emmer freekeh triticale malt semolina bulgur"
    " bulghur couscous seitan gluten flour bread_flour wheat_flour breadcrumb bread_crumb bread panko toast baguette"
    " ciabatta tortilla pita bun bagel naan croissant roll cracker biscuit cookie muffin cake pastry pie_crust"
    " dough pizza pasta spaghetti macaroni noodle penne fusilli linguine fettuccine tagliatelle rigatoni vermicelli"
    " lasagna lasagne gnocchi ravioli tortellini orzo ramen udon angel_hair farfalle ziti beer ale stout crouton"
    " ladyfinger phyllo filo wonton_wrapper dumpling muesli granola cereal roux gravy soy_sauce teriyaki hoisin"
    " hoisin_sauce oyster_sauce worcestershire_sauce worcestershire oat_milk oat_cream rolled_oat english_muffin matzo"
    " matzah wafer brownie waffle pancake lasagna_sheet lasagne_sheet egg_noodle soba doughnut donut pie burger"
    " vital_wheat_gluten wheat_germ rye_flour whole_wheat_flour wheatgerm wheatberry wheatmeal wholewheat wholemeal"
    " wholegrain durum farina graham fregola fregula tabbouleh tabouli bran weetabix porridge corn_flake cornflake"
    " breaded battered crumbed crumb batter tempura tempura_batter pretzel crispbread flatbread cornbread gingerbread"
    " shortbread breadstick focaccia sourdough brioche challah rusk zwieback scone crumpet chapati chapatti roti"
    " paratha wrap crepe tart tartlet strudel kataifi shortcrust quiche samosa empanada pierogi gyoza wonton"
    " spring_roll orecchiette bucatini conchiglie rotini tortelloni cannelloni pappardelle cavatappi ditalini"
    " campanelle gemelli pastina manicotti acini_di_pepe lo_mein chow_mein yakisoba somen lager pilsner hefeweizen"
    " marmite vegemite digestive oreo speculoos amaretti tiramisu cheesecake fish_finger fish_stick fishcake"
    " ice_cream_cone shoyu ponzu char_siu black_bean_sauce ketjap kecap malted brewer's_yeast doubanjiang"
    " ssamjang gochujang rarebit bechamel surimi crab_stick seafood_stick crabstick welsh_rarebit sponge biscotti",
    "crustaceans": "shrimp prawn crab lobster crayfish scampi langoustine langostino krill crawfish shrimp_paste"
    " crabmeat crab_stick seafood_stick crabstick gamba crevette yabby shellfish seafood frutti_di_mare surimi"
    " prawn_cracker belacan belachan kimchi xo_sauce thai_curry_paste red_curry_paste green_curry_paste"
    " yellow_curry_paste bouillabaisse sambal dublin_bay_prawn",
    "eggs": "egg egg_white egg_yolk yolk mayonnaise mayo meringue aioli hollandaise custard egg_noodle ladyfinger"
    " omelette omelet albumen albumin eggnog quail_egg duck_egg brioche caesar_dressing tartar_sauce tartare_sauce"
    " pancake waffle crepe quiche frittata souffle zabaglione challah pavlova macaron macaroon nougat lemon_curd"
    " bearnaise remoulade ranch ranch_dressing coleslaw thousand_island creme_anglaise creme_brulee tiramisu"
    " cheesecake cake muffin brownie sponge doughnut donut batter tempura tempura_batter royal_icing surimi"
    " crab_stick seafood_stick crabstick egg_pasta eggwash biscotti amaretti fresh_pasta",
    "fish": "fish salmon tuna cod haddock trout herring mackerel sardine halibut anchovy tilapia sea_bass bass"
    " pollock pollack plaice sole carp monkfish catfish smoked_salmon surimi roe caviar swordfish snapper trevally"
    " anglerfish eel fish_sauce worcestershire_sauce worcestershire caesar_dressing bonito dashi katsuobushi"
    " fish_stock fish_broth fish_fillet whitebait perch pike hake whiting turbot flounder hoki basa pangasius kipper"
    " bloater sprat skate sturgeon pilchard lox gravlax gravadlax barramundi grouper mullet mahi_mahi mahi john_dory"
    " arctic_char coley saithe brill gurnard bream sea_bream tarama taramasalata bottarga isinglass nam_pla nuoc_mam"
    " nuoc_cham garum hondashi smelt escolar rockfish bluefish butterfish dogfish zander pikeperch walleye hilsa"
    " brisling ikura tobiko masago unagi hamachi albacore skipjack yellowtail marlin shark whitefish bombay_duck"
    " ceviche sushi sashimi seafood frutti_di_mare bouillabaisse furikake kimchi ponzu crab_stick seafood_stick"
    " crabstick fishcake fish_finger fish_stick swai tuna_steak",
    "peanuts": "peanut peanut_butter peanut_oil groundnut satay peanut_sauce monkey_nut pea_nut ground_nut arachis_oil"
    " peanutbutter mixed_nut nut trail_mix",
    "soybeans": "soy soya soybean soy_sauce tamari tofu tempeh edamame miso soy_milk soy_chunk teriyaki hoisin"
    " hoisin_sauce oyster_sauce natto soy_lecithin gochujang ponzu soy_bean soyabean soymilk shoyu doenjang"
    " doubanjiang ssamjang douchi yuba bean_curd beancurd okara aburaage inari tvp textured_vegetable_protein"
    " vegetable_protein liquid_aminos fermented_black_bean black_bean_sauce yellow_bean_sauce ketjap kecap kinako"
    " char_siu satay",
    "milk": "milk cream butter yogurt yoghurt buttermilk sour_cream creme_fraiche creme ghee quark skyr kefir"
    " whipping_cream condensed_milk milk_powder mascarpone half_and_half half_half custard whey casein caseinate"
    " ice_cream cheese"
    " parmesan parmigiano mozzarella cheddar feta gouda gruyere emmental emmentaler emmenthal ricotta brie"
    " camembert halloumi paneer pecorino cream_cheese cottage_cheese goat_cheese blue_cheese provolone monterey_jack"
    " swiss_cheese roquefort gorgonzola manchego edam edamer bechamel pesto nutella milk_chocolate white_chocolate"
    " dulce_de_leche caramel lactose pudding milkshake croissant brioche appenzeller curd lemon_curd labneh goat_milk"
    " sheep_milk cheesecake alfredo latte toffee pancake waffle dairy buttercream butterscotch fudge ganache"
    " creme_anglaise creme_brulee panna_cotta tiramisu gelato fromage_frais fromage_blanc fromage queso cotija"
    " stilton comte asiago grana_padano burrata bocconcini havarti munster muenster jarlsberg raclette reblochon"
    " boursin philadelphia velveeta neufchatel pepper_jack colby_jack colby stracciatella stracchino taleggio fontina"
    " cheshire wensleydale gloucester leicester romano mizithra graviera kashkaval limburger tilsiter tilsitter"
    " cantal beaufort vacherin mimolette chevre caciocavallo scamorza leerdammer maasdam cambozola khoya mawa kulfi"
    " lassi raita tzatziki ayran hollandaise bearnaise caesar_dressing ranch ranch_dressing quiche souffle crepe"
    " creamer buttered cheesy cheeseburger rarebit frappe cappuccino tres_leches milky cake muffin brownie batter"
    " creamed  st_augur",
    "nuts": "nut almond walnut hazelnut pecan cashew pistachio macadamia brazil_nut marzipan praline nougat"
    " almond_butter almond_milk almond_flour almond_meal amaretto frangipane nutella gianduja pesto cashew_butter"
    " cashew_cream hazelnut_spread almond_nut cashew_nut cashewnut pistachio_nut macadamia_nut pecan_nut hazel_nut"
    " wal_nut hickory_nut para_nut filbert cobnut mixed_nut ground_nut baklava dukkah dukka romesco turron orgeat"
    " frangelico nocino amaretti bakewell macaron ferrero mortadella trail_mix almondmilk noisette",
    "celery": "celery celeriac celery_salt celery_seed celery_stalk mirepoix waldorf bloody_mary marmite vegemite",
    "mustard": "mustard mustard_seed mustard_powder dijon mayonnaise mayo piccalilli dijonnaise remoulade coleslaw"
    " caesar_dressing tartar_sauce tartare_sauce vinaigrette wasabi rarebit aioli thousand_island",
    "sesame": "sesame sesame_seed sesame_oil tahini hummus halva gomasio za'atar zaatar houmous hommus hummous tahina"
    " tehina halvah gomashio furikake dukkah dukka gingelly gingelly_oil benne baba_ghanoush baba_ganoush falafel"
    " everything_bagel",
    "sulphites": "wine white_wine red_wine port sherry marsala vermouth wine_vinegar dried_apricot cider mirin"
    " sulphite sulfite white_wine_vinegar red_wine_vinegar balsamic_vinegar balsamic cooking_wine champagne"
    " prosecco cava shaoxing madeira sangria riesling chardonnay merlot cabernet burgundy golden_raisin dried_fruit"
    " dried_mango dried_pineapple dried_apple dried_peach dried_pear glace_cherry maraschino_cherry maraschino"
    " candied_peel candied_fruit",
    "lupin": "lupin lupine lupin_flour lupini lupini_bean lupine_bean lupin_bean tremoco",
    "molluscs": "clam mussel oyster scallop squid octopus calamari cockle snail cuttlefish oyster_sauce whelk abalone"
    " escargot periwinkle winkle conch seafood shellfish frutti_di_mare geoduck limpet vongole cozze bouillabaisse"
    " xo_sauce squid_ink calamaro oyster_cracker",
}
NONE = (  # what only sounds like one of them
    "butter_bean butter_lettuce cream_of_tartar cream_tartar rice_noodle glass_noodle rice_vermicelli rice_paper"
    " rice_flour corn_flour chickpea_flour coconut_flour potato_flour tapioca_flour buckwheat_flour"
    " millet_flour sorghum_flour quinoa_flour corn_tortilla rice_cake oyster_mushroom ginger_ale root_beer"
    " ginger_beer milk_thistle crab_apple pine_nut konjac_noodle mung_bean_noodle ginger_nut"
    " lobster_mushroom coconut_aminos romano_bean romano_pepper butterfly_pea water_chestnut tiger_nut"
    " breadfruit sweetbread egg_plant tart_apple tart_cherry creme_de_cassis creme_de_menthe"
)
FREE = {  # what a name may say besides, and what that takes away
    "gluten": ("gluten free", "glutenfree"),
    "milk": ("dairy free", "milk free", "non dairy", "nondairy", "vegan", "plant based"),
    "eggs": ("egg free", "vegan", "plant based", "eggless"),
    "fish": ("vegan", "vegetarian", "plant based"),
    "nuts": ("nut free",),
    "soybeans": ("soy free",),
}
REPLACED = ("milk", "eggs", "gluten", "fish")  # where one of these is taken away, nobody knows what stands for it
DENIED = ("not", "isn't", "never")  # before such a word it takes nothing away
_ALL_FORMS = ("milk", "cream", "yogurt", "yoghurt", "cheese", "butter")
_DRINK = ("milk", "butter")  # a hazelnut yogurt is one of milk, with hazelnuts
_PLANTS = {
    **dict.fromkeys(("soy", "soya"), ("soybeans", _ALL_FORMS)),
    "oat": ("gluten", _ALL_FORMS),
    **dict.fromkeys(("almond", "cashew"), ("nuts", _ALL_FORMS)),
    **dict.fromkeys(("hazelnut", "nut", "walnut", "pistachio", "pecan", "macadamia"), ("nuts", _DRINK)),
    "peanut": ("peanuts", _DRINK),
    "sesame": ("sesame", _DRINK),
    **dict.fromkeys(("coconut", "rice", "hemp", "pea", "plant", "sunflower"), ("", _ALL_FORMS)),
    **dict.fromkeys(("cocoa", "shea", "apple"), ("", ("butter",))),
}
MIXED = (  # made of several things that the name does not tell
    "sauce dressing seasoning spice_mix masala curry_paste curry_powder broth stock bouillon stock_cube"
    " bouillon_cube sausage chorizo hot_dog meatball salami pepperoni hamburger stuffing mix soup granola"
    " cereal candy sprinkle chocolate chocolate_chip margarine vegetable_broth vegetable_stock"
    " vegetable_bouillon chicken_broth chicken_stock beef_broth beef_stock bone_broth chicken_bouillon"
    " beef_bouillon ketchup bbq_sauce barbecue_sauce salsa relish chutney marinara tomato_sauce"
    " enchilada_sauce hot_sauce taco_seasoning italian_seasoning adobo sazon garam_masala harissa gochujang"
    " salad_dressing ice_cream kimchi wasabi nutritional_yeast food_coloring liqueur falafel patty nugget"
    " spread topping filling crust extract puree paste salad sweetener baking_powder ham corned_beef surimi"
    " bread bun toast baguette bagel naan brioche roll cake cookie muffin pastry pie_crust dough pizza"
    " biscuit cracker brownie croissant waffle pancake dumpling pudding pie burger noodle pasta fettuccine"
    " tagliatelle ravioli tortellini gnocchi lasagna lasagne ramen miso doughnut donut wafer marzipan"
    " nougat praline teriyaki pesto caramel candy muesli tortilla pita rice_cracker panko curry sriracha guacamole"
    " spice ras_el_hanout pumpkin_spice breaded battered crumbed crumb batter tempura tempura_batter crab_stick"
    " seafood_stick crabstick seafood shellfish mixed_nut nut trail_mix dried_fruit fish_stick fish_finger fishcake"
    " vinaigrette mayonnaise mayo aioli hummus houmous hommus hummous sambal thai_curry_paste red_curry_paste"
    " green_curry_paste yellow_curry_paste xo_sauce seitan cornflake corn_flake oyster_cracker char_siu mortadella"
)
MEATS = (  # what diets look at besides the kinds of FOODS
    "burger patty nugget pate foie_gras mince minced_meat black_pudding haggis bologna mortadella speck bresaola jerky"
    " meatloaf pastrami salumi bratwurst frankfurter wiener kielbasa nduja chorizo cheeseburger char_siu offal tripe"
    " sweetbread tongue"
)
GELATINS = "marshmallow jello gummy panna_cotta aspic demi_glace dripping"
FORMS = word_set(  # words after a food for a part or a form of it
    "leaf seed belly shoulder loin leg mince powder stick weed juice oil zest peel root stalk rib roast"
    " fillet chop pod flake kernel head clove essence bone cube piece slice half sprig bunch floret heart"
    " neck shank cutlet skin"
)
PLAIN = word_set(  # words that say how a food looks, was grown, kept, cut or cooked, and bring nothing with them
    "white black red green yellow brown purple blue golden gold dark light blonde pink orange"
    " big small medium large extra jumbo giant baby young old mature thick thin long short flat round grain granulated"
    " dry dried fresh frozen canned tinned raw cooked uncooked precooked boiled baked fried roasted toasted grilled"
    " steamed smoked cured ground grinded cracked crushed mashed smashed pressed shredded grated shaved sliced chopped"
    " diced minced powdered flaked slivered blanched whipped heavy double single clotted evaporated condensed"
    " concentrated distilled active instant quick warm warmed cold hot luke sour sweet bitter salted unsalted"
    " unsweetened low high free fat sodium sugar range lean skimmed semi organic wild farmed pure virgin"
    " all purpose self raising rising plain strong bleached unbleached enriched whole rolled pearl basmati"
    " jasmine arborio"
    " bomba russet yukon waxy floury mealy hass haas roma cherry plum beefsteak button cremini"
    " crimini portobello romaine iceberg snap snow string kidney garbanzo cannellini pinto broad split mung"
    " italian greek spanish french english irish swiss chinese japanese thai mexican hungarian canadian belgian"
    " norwegian portuguese persian turkish egyptian indian korean california european danish dutch german ceylon"
    " sichuan szechuan kalamata neutral regular mineral sparkling still tap king tiger brewed baking cooking table"
    " summer winter spring seasonal assorted leftover crunchy soft hard firm silken smooth spicy mild sharp aged half"
    " tender broken rubbed stewed steel cut elbow and of in with stewing confectioner caster"
    " bone boneless skinless shoulder breast thigh wing filet new gluten dairy lactose"
)


def spelled(line: str) -> list[tuple[str, ...]]:
    """Return a table's terms, each as its words.

    >>> spelled("milk sour_cream")
    [('milk',), ('sour', 'cream')]
    """
    return [tuple(words(term.replace("_", " "))) for term in line.split()]


def of_plants() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return what is like milk, and made of a plant, with its allergens; chocolate of milk is of milk still.

    >>> of_plants()[("coconut", "milk")], of_plants()[("hazelnut", "milk", "chocolate")]
    ((), ('nuts', 'milk'))
    """
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for plant, (held, forms) in _PLANTS.items():
        of: tuple[str, ...] = (held,) if held else ()
        found |= {(plant, form): of for form in forms}
        found[plant, "milk", "chocolate"] = (*of, "milk")
    return found


def untold() -> frozenset[str]:
    """Return the terms of which the parts are not told: ``MIXED``, and what is like yogurt or cheese of a plant."""
    forms: Sequence[str] = ("yogurt", "yoghurt", "cheese")
    like = (f"{plant} {form}" for plant in _PLANTS for form in forms)
    return frozenset({*(" ".join(term) for term in spelled(MIXED)), *like})
