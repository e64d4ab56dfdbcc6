"""What would change the answer: recourse, how the risk goes with what people can change, and the reasons of a denial."""
