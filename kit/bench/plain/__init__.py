"""The plain way, as most published code has it, to be measured against."""
