"""What the data check found in the table: what each column was taken for, and what a person should know or decide."""
