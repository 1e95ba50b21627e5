"""What is normal for numbers that come bucket by bucket, and how often chance alone would raise an alarm. Pure arrays."""
