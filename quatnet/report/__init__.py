"""What runs say together: tables, statistics over seeds, the paper's curves beside ours, pictures and a page."""
