"""The intermediate representation of a ranker: what every target format is written from and read back into."""
