"""Where the models err: of whom they were sure, in which parts of the table, what pushed errors, and what a remedy changes."""
