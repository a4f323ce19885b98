"""What servers of one database say to each other."""
