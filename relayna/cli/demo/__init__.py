"""The demonstration: real consumers handle real messages, and what they record is drawn."""
