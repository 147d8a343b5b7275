"""SAR and optical images of the same place: names, layouts, tables, datasets."""
