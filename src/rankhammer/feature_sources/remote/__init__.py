"""Real search engines over HTTP: what every client of one shares."""
