"""What happens, as figures for those who operate servers. Nothing is decided here."""
