"""What the tables of both papers share."""
