"""The methods: what makes a model from a corpus, one module a method or family."""
