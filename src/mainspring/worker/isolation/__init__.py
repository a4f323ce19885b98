"""Runs in processes of their own: forked, limited, watched, ended. Nothing of what runs say."""
