"""Assistant: a Llama fine-tuned with LoRA that chats and composes meals from what is in the house.

units         cups, ounces and pinches, and what a piece weighs
letters       signs that nobody sees, words of look-alike letters
foods         what kind each food is, what a piece and a millilitre of it weigh
allergen_terms  what names of foods say about allergens and animals, as tables
allergens     the fourteen of the EU, and diets, by rule
alternatives  what stands for "butter or margarine"
amounts       "½ cup (110g)" as grams
ingredients   free text as names and grams: "2 eggs, 300g rice"
recipes       a request and its recipe: as messages, as JSON, as the grammar of an answer
checking_terms  words of steps and titles that it judges by, as tables
checking      what a composed meal must keep to: listed ingredients and the pantry, grams, allergens
portions      a recipe scaled, its shopping list, its card as schema.org has it
cookbook      a cookbook's row as a recipe to learn from
recipe_forms  a recipe's record, from a data set or a web page, as title, lines and directions
shapes        what a record is by its columns
meals         a request ──► prompt and grammar ──► a recipe that was checked
sources       FineTome, ShareGPT and messages files, recipes
cleaning      filters one after the other, and what each took away
features      conversations kept and split; tokens of them, cached by tokenizer and template
training      one fine-tuning: a plan, a folder, checkpoints, the best weights
origin        what a version was fine-tuned from, where that is here
inference     which model answers here, or which endpoint elsewhere
instructions  checks of format, length and words that a program scores
tastings      checks of composed meals, on requests of test conversations
evaluation    losses with intervals, checks of instructions and meals: candidate, base, champion
judgements    what an evaluation found, case by case, kept for the export that decides
searches      a search's settings, its folder, and the commits its bases are held to
trials        one trial of a search, by a worker that sees no store
weighing      what a search found, held against the untrained base, and what it recommends
searching     ranks, learning rates and bases compared, and whether the difference is one
describing    the card of a version
exporting     merged weights equal to the adapter's, GGUF, a card; registered, judged, promoted
monitoring    what visitors preferred
"""
