"""A cluster on Amazon EMR for one job: checked and priced before, followed while it runs, gone afterwards."""
