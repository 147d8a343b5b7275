"""How it is drawn: walks from noise to data that take a callable and know no network."""
