"""What workers speak: the link, and the posts beside it."""
