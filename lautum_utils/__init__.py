"""Lautum information: what it is, how to regularize with it, and when it helps a network
transfer."""
