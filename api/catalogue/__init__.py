"""The catalogue of pretext tasks and encoders."""
