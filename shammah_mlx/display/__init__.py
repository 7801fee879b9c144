"""What people see: a terminal, a page. Formatting alone; nothing here decides."""
