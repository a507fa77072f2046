"""How text becomes words: tokenizing and phrases. Needs no Spark."""
