"""The networks in PyTorch, as the second opinion on the Swift ones."""
