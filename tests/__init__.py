"""What proves Treuepost: real stores, real providers on loopback, the rules by properties."""
