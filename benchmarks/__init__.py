"""What it costs to be kept running; see README.md beside this file for the method."""
