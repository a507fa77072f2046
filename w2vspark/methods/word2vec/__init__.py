"""word2vec's six methods (family), with their steps, tables and reports."""
