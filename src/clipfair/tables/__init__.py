"""Tables and figures: pure functions of the records, compared with the published numbers."""
