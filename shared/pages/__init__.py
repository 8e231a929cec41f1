"""What every page is built from. Text that comes from values is escaped: pieces are ``markupsafe.Markup``.

look       the theme, the style sheet, and how a page is served
guard      an error becomes a sentence on the page, and in an answer of the API
words      numbers and dates as people read them
pieces     notices, banner, tiles, tables
standing   how a system stands: freshness, the headline figure beside its baseline
history    which versions served and why, and the latest runs
provenance which model answered, and why to believe it
period     two dates as a visitor writes them
watching   what every monitor page does with a period
measured   measures as a visitor gives them
plots      charts that fit the page
flower     an iris, drawn to scale
tasting    what is said of a wine
talking    a conversation, checked and bounded; inert makes its text harmless, chat_* are the parts of its page:
           models, tab and events, progress, what the browser keeps and its seal, two side by side, figures
meal_*     the parts of the page of meals: form, events, card
visitors   how often somebody may ask
air        what is said of fine dust; air_skill how good that was; air_charts draws it, air_features names
           what a forecast rests on, and air_calls answers programs
"""
