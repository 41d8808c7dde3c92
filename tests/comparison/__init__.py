"""What others do, and what they do not, each cell of the table proven by a test."""
