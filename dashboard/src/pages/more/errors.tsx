/* Failed runs that are alike, as one row each: what is new, what came back, what is settled. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useAsk } from "../../api/ask.ts";
import { DAY, type Measured, useMetric } from "../../api/metrics.ts";
import type { ErrorGroup } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Bars } from "../../ui/chart.tsx";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Empty, Failure, Loading } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";
import { FaultStatus } from "./fault.tsx";

const OPEN = "new,regressed";
const VIEWS: [string, string | undefined][] = [["Open", undefined], ["Resolved", "resolved"], ["Muted", "muted"], ["All", "all"]];

export function ErrorsPage() {
  const search = useSearch({ strict: false }) as { status?: string; task?: string; after?: string };
  const navigate = useNavigate();
  const status = search.status === "all" ? [] : (search.status ?? OPEN).split(",");
  const found = useAsk<{ groups: ErrorGroup[]; next: string | null }>("errors", { status, task: search.task, after: search.after, limit: 50 }, { follow: true, every: 10_000 });
  const failed = useMetric("runs.failed", DAY, ["error"]);
  const groups = found.data?.groups ?? [];
  const go = (next: typeof search) => void navigate({ to: "/errors", search: next });
  return (
    <Page
      title="Errors"
      tools={
        <div role="group" aria-label="Status" className="flex flex-wrap gap-1">
          {VIEWS.map(([word, value]) => (
            <Button key={word} kind={search.status === value ? "plain" : "ghost"} aria-pressed={search.status === value} onClick={() => go({ task: search.task, status: value })}>{word}</Button>
          ))}
          {search.task && <Button icon="close" onClick={() => go({ status: search.status })}>task: {search.task}</Button>}
        </div>
      }
    >
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && groups.length === 0 && !found.data.next && (
        <Empty title={search.status ? "Nothing here" : "No open errors"}>
          Runs that fail alike, by task, error and place in the code, are one entry here. Resolve it when it is mended: if a later run fails so again, it comes back.
        </Empty>
      )}
      {groups.length > 0 && (
        <Grid
          label="Errors"
          rows={groups}
          id={(group) => group.id}
          columns={[
            {
              name: "Error",
              cell: (group) => (
                <span className="block min-w-0 [overflow-wrap:anywhere]">
                  <Link to="/errors/$error" params={{ error: group.id }} className="font-medium hover:underline">{group.name}</Link>
                  <span className="line-clamp-2 text-dim">{group.message}</span>
                  <span className="block md:hidden">{group.task}</span>
                </span>
              ),
            },
            { name: "Task", wide: true, cell: (group) => <Link to="/errors" search={{ ...search, task: group.task }} className="[overflow-wrap:anywhere] hover:underline">{group.task}</Link> },
            { name: "Place", wide: true, cell: (group) => <span className="font-mono text-xs text-dim [overflow-wrap:anywhere]">{group.place}</span> },
            { name: "Last 24 hours", wide: true, cell: (group) => <Hours measured={failed.data} group={group} /> },
            { name: "Status", wide: true, cell: (group) => <FaultStatus status={group.status} /> },
            { name: "Runs", right: true, cell: (group) => <span className="num">{group.count.toLocaleString("en")}</span> },
            { name: "First", right: true, wide: true, cell: (group) => <span className="text-dim"><Ago at={group.first_at} /></span> },
            { name: "Last", right: true, cell: (group) => <Ago at={group.last_at} /> },
          ]}
        />
      )}
      {(search.after || found.data?.next) && (
        <div className="flex justify-center gap-2 p-3">
          {search.after && <Button onClick={() => go({ ...search, after: undefined })}>Latest</Button>}
          {found.data?.next && <Button onClick={() => go({ ...search, after: found.data.next ?? undefined })}>Older</Button>}
        </div>
      )}
    </Page>
  );
}

/** How often it happened, by the hour. */
function Hours({ measured, group }: { measured: Measured | undefined; group: ErrorGroup }) {
  const points = measured?.series.find((series) => series.labels.error === group.id)?.points ?? [];
  if (!measured || points.length === 0) return <span className="text-dim">–</span>;
  const most = Math.max(...points.map((point) => point.total));
  const values = new Map(points.map((point) => [point.at, point.total]));
  return <Bars label={`${group.name} of ${group.task} by the hour, at most ${most}`} tracks={[{ name: "runs", color: "text-bad", values }]} since={measured.since} until={measured.until} step={measured.step_ms} />;
}
