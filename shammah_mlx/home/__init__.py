"""One home, `~/.shammah`: its journal, its snapshots of the models, its locks; ask, learn, forget, roll back."""
