"""What lastclick costs, as ratios in one run on one machine. See README.md beside this file."""
