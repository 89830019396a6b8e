"""The whole program as its owner uses it: commands, files, mails."""
