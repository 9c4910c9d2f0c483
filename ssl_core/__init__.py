"""Self-supervised pretraining: pretext tasks, encoders and the training loop. Knows no database, broker or HTTP."""
