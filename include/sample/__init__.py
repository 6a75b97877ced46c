"""The synthetic health system: two hospitals that share patients, and a key to what was planted in them."""
