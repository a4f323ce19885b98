-- Where the servers of a cluster of databases are connected to.

-- The node of the cluster that its statements go to; NULL = not known, or the database is one node.
ALTER TABLE server ADD COLUMN node {bigint};
