"""GloVe's updates, and the cut of its counts into strata."""
