"""Code shared by the tables of both papers."""
