"""Pictures, and what moves them."""
