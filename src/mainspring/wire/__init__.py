"""Message shapes: the public JSON, and the binary messages between server and worker."""
