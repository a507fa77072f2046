"""word2vec's six methods: their steps, tables and what they say (family), and what these share."""
