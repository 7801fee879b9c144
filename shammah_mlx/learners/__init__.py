"""Router, Generator and Validator: what each is made of, and how it learns one step at a time."""
