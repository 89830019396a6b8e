"""The promises as questions to the store: each file asks about one of them, `engine.store.audit` asks them all."""
