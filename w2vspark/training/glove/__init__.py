"""GloVe: settings, plan, what the workers do, and the tables that it publishes."""
