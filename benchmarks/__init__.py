"""Measurements. Each script is run by one command, compares within one run, and never fails because a machine is slow."""
