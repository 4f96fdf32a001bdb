"""Data: from the internet or a mirror folder to checked tables. One module per dataset."""
