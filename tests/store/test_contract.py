"""Both databases keep the public contract of a store."""

from mainspring.testing import store_contract, store_journals, store_reads, store_waits


class TestOwnership(store_contract.OwnershipContract):
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


class TestDocuments(store_waits.DocumentsContract):
    pass


class TestJournals(store_journals.JournalsContract):
    pass


class TestWaits(store_journals.WaitsContract):
    pass
