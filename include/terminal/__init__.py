"""A night, and the stack around it, as a person at a terminal sees them."""
