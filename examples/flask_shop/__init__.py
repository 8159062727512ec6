"""A small shop in Flask that records its checkout with lastclick, and 400 shoppers to try it."""
