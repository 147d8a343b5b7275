"""Published figures with their protocols, and what of them may stand beside an evaluation."""
