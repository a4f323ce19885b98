"""Both databases keep the public contract of a store."""

from mainspring.testing import (
    store_access,
    store_batches,
    store_changes,
    store_contract,
    store_journals,
    store_operations,
    store_ownership,
    store_reads,
    store_streams,
    store_waits,
)


class TestOwnership(store_ownership.OwnershipContract):
    pass


class TestCommits(store_contract.CommitContract):
    pass


class TestLive(store_contract.LiveContract):
    pass


class TestRuns(store_reads.RunsContract):
    pass


class TestPages(store_reads.PagesContract):
    pass


class TestCatalog(store_reads.CatalogContract):
    pass


class TestWaitpoints(store_waits.WaitpointsContract):
    pass


class TestBatches(store_batches.BatchesContract):
    pass


class TestDocuments(store_waits.DocumentsContract):
    pass


class TestJournals(store_journals.JournalsContract):
    pass


class TestWaits(store_journals.WaitsContract):
    pass


class TestChanges(store_changes.ChangeContract):
    pass


class TestOperations(store_operations.OperationsContract):
    pass


class TestStreams(store_streams.StreamsContract):
    pass


class TestAccess(store_access.AccessContract):
    pass


class TestLatest(store_changes.LatestContract):
    pass
