"""The main job: a source tree analysed by thousands of small pieces of durable work."""
