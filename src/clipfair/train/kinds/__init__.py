"""One module per kind of method, imported by name: it provides the parts that the loop needs."""
