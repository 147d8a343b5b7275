"""What is learnt: parameter groups and the story of one training step, one file per method."""
