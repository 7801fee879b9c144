"""Router, Generator and Validator: what each knows, and how it learns one step at a time."""
