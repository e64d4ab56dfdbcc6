"""The parts of the page on the explanations themselves: how sure, why they differ, how close to the truth."""
