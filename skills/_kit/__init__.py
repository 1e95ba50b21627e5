"""What skills share."""
