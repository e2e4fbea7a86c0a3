"""Accounts: registration and passwords."""
