"""How the report was made: the question, the data, who was explained, against whom, by what, and what to keep in mind."""
