"""Empty."""

ENCODER_COSTS: dict = {}
PARAMETERS: dict = {}
TASK_COSTS: dict = {}
BF16_BYTES = 0.6
