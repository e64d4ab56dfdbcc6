"""The workbench: look anybody up, change anything, see what follows."""
