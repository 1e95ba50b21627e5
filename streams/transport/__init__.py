"""The one door to Kafka."""
