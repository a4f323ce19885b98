"""What happens, as figures, spans and lines. Nothing is decided here."""
