"""Messages that arrive between the nights: taken in over MLLP, durable before they are acknowledged, landed by the next night."""
