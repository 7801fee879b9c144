"""What other programs recorded of their users' questions and Claude's answers: one module a format. Read only."""
