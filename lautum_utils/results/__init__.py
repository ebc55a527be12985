"""What came out: asked, compared, stored, swept."""
