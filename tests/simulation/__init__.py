"""One process, an injected clock, a provider with a book of its own, and crashes wherever something becomes durable."""
