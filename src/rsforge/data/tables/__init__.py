"""Tables as programs save them: characters, columns, headings and lists in cells."""
