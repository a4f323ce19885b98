/* Who changed what in this environment, the newest first. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { chosenEnvironment, request } from "../../api/call.ts";
import { Page } from "../../frame/page.tsx";
import { useSession } from "../../frame/session.ts";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

interface Entry {
  number: number;
  at: string;
  who: string;
  what: string;
  target?: string;
  origin?: string;
}

export function AuditPage() {
  const { session } = useSession();
  const role = session.environments.find((one) => one.slug === session.environment)?.role;
  if (role !== "admin") {
    return (
      <Page title="Audit log">
        <Empty title={role ? "For admins" : session.dev ? "Nobody signs in on this machine" : "You came with a key"}>
          <p className="mb-3">{role ? "An admin of this environment reads who changed what." : session.dev ? "On a server, admins read here who changed what. On this machine a command tells it:" : "A key reads no audit log. Sign in with a personal token of an admin, or use the server's machine:"}</p>
          <Command>mainspring audit ls</Command>
        </Empty>
      </Page>
    );
  }
  return <Entries />;
}

function Entries() {
  const found = useInfiniteQuery({
    queryKey: ["audit", chosenEnvironment()],
    staleTime: 0, // one comes here to see what was done a moment ago
    queryFn: ({ pageParam }) => request<{ data: Entry[]; next?: number }>("GET", `api/mainspring/v1/audit?before=${pageParam}`),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next,
  });
  const entries = found.data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <Page title="Audit log">
      {found.error && <Failure error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <Loading />}
      {found.isSuccess && entries.length === 0 && !found.hasNextPage && (
        <Empty title="Nothing was changed yet">Keys, people, variables, queues and schedules leave an entry here when somebody changes them. Entries are linked, so that none can be taken out unseen.</Empty>
      )}
      {entries.length > 0 && (
        <Grid
          label="Audit log"
          rows={entries}
          id={(entry) => String(entry.number)}
          columns={[
            { name: "When", cell: (entry) => <Ago at={Date.parse(entry.at)} /> },
            { name: "Who", cell: (entry) => <span className="[overflow-wrap:anywhere]">{entry.who}</span> },
            { name: "What", cell: (entry) => <code className="font-mono text-[12.5px]">{entry.what}</code> },
            { name: "Of", wide: true, cell: (entry) => <span className="font-mono text-[12.5px] text-dim [overflow-wrap:anywhere]">{entry.target}</span> },
            { name: "From", wide: true, cell: (entry) => <span className="text-dim">{entry.origin}</span> },
            { name: "Number", right: true, wide: true, cell: (entry) => <span className="num text-dim">{entry.number}</span> },
          ]}
        />
      )}
      {found.hasNextPage && <div className="p-4 text-center"><Button disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>Older entries</Button></div>}
    </Page>
  );
}
