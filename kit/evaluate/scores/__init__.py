"""Numbers from predictions and masks: IoU, boundary IoU, calibration error, and intervals of them."""
