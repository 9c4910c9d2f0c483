"""Sending what is on its way to webhooks."""
