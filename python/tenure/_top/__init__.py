"""`tenure top`: the figures of a running process in the terminal, over a socket that only its owner can open."""
