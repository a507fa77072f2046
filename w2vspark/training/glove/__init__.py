"""GloVe: settings, plan, the workers' part, and the tables that it publishes."""
