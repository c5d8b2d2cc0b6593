"""What a run on a YARN cluster needs beside Spark: the runtime that travels, submitting, and following a run."""
