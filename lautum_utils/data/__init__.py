"""Source and target: images, what moves them apart, and the tasks made of them."""
