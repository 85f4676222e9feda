"""What the passes learn about one network, from float operations to the integer layers that golden runs."""
