"""hccresist: who resists, why, and what might overcome it, in hepatocellular carcinoma."""
