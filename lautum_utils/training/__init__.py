"""From experiments to trained networks."""
