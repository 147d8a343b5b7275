"""What the names of files and folders say: scenes, sides, modalities, and how names differ."""
