"""Reports on runs: tables, statistics over seeds, the paper's curves beside ours, pictures and a page."""
