"""The frozen reference: a yardstick that does not move when the project gets better."""
