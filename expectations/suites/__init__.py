"""One module per table that is validated; each has ``build()``, the table's expectations in order."""
