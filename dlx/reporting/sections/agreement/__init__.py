"""Whether the methods agree beyond noise, why not, and which of them to trust."""
