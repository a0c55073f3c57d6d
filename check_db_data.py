import os

os.execv(hms := os.path.join(os.path.dirname(os.path.abspath(__file__)), "hms"), [hms, "db", "check"])
