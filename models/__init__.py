"""Networks and images the project measures itself on; never installed, needs torch only to train."""
