"""word2vec's six methods: settings, plan, trainer, and the tables that they publish."""
