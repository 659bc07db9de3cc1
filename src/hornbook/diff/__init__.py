"""`hornbook diff`: why two states of the graph differ, and what differs in what they made."""
