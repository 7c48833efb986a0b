"""What is off, before building: a sample of the corpus (`sample`), and what is found in it (`examine`)."""
