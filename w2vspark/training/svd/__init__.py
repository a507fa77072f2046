"""The randomised singular value decomposition, of ppmi-svd and lsa."""
