"""Oscar's models: none."""
