"""What a study is, and how it is read: tables, issues, policies, one reader a format."""
