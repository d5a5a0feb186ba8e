"""A person's traces: which there are (`traces`), removing them and looking for what is left."""
