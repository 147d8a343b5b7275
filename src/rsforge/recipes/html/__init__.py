"""Pages of HTML with pictures and charts, without scripts."""
