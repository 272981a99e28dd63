"""What is published and how it is corrected: bulletins, permits, vouchers, grades, proof."""
