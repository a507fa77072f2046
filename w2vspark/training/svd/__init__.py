"""The randomised singular value decomposition (SVD), for ppmi-svd and lsa."""
