"""What every stage leans on: clocks, watermarks, configuration, telemetry, plug-in loading."""
