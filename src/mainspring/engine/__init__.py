"""The one writer of state: trigger, claim, finish, cancel, retry, owners of shards."""
