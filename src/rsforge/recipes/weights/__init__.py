"""Commands about rsforge itself and its runs: demo, doctor, info."""
