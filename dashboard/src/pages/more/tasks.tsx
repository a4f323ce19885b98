/* Tasks that workers have announced. */

import { Link } from "@tanstack/react-router";
import { useAsk } from "../../api/ask.ts";
import { DAY, type Measured, useMetric } from "../../api/metrics.ts";
import type { Status, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Icon } from "../../ui/icons.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { Bars } from "../../ui/chart.tsx";
import { statusColor, statusWord } from "../../ui/status.tsx";
import { duration } from "../../ui/time.tsx";
import { StartCard } from "../runs/start.tsx";

export function TasksPage() {
  const found = useAsk<{ tasks: Task[] }>("tasks", {}, { every: 4_000 });
  const tasks = found.data?.tasks ?? [];
  const ended = useMetric("runs.ended", DAY, ["task", "status"]);
  const took = useMetric("runs.duration", DAY, ["task"]);
  return (
    <Page title="Tasks">
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && tasks.length === 0 && <StartCard />}
      {tasks.length > 0 && (
        <Grid
          label="Tasks"
          rows={tasks}
          id={(task) => task.id}
          columns={[
            {
              name: "Task",
              cell: (task) => (
                <>
                  <Link to="/runs" search={{ task: task.id }} className="font-medium [overflow-wrap:anywhere] hover:underline">{task.id}</Link>
                  <span className="line-clamp-2 text-dim">{task.description}</span>
                </>
              ),
            },
            { name: "Last 24 hours", wide: true, cell: (task) => <Day measured={ended.data} task={task.id} /> },
            { name: "Succeed", right: true, wide: true, cell: (task) => <span className="num">{succeed(ended.data, task.id)}</span> },
            { name: "p50, p95", right: true, wide: true, cell: (task) => <span className="num whitespace-nowrap text-dim">{lasts(took.data, task.id)}</span> },
            { name: "Queue", wide: true, cell: (task) => <span className="text-dim">{task.queue}</span> },
            { name: "Version", wide: true, cell: (task) => <span className="font-mono text-xs text-dim">{task.version}</span> },
            { name: "Workers", right: true, cell: (task) => <span className={`num ${task.workers ? "" : "text-wait"}`}>{task.workers || "none"}</span> },
            {
              name: "Test",
              right: true,
              cell: (task) => (
                <Link to="/test/$task" params={{ task: task.id }} aria-label={`Test ${task.id}`} className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line bg-panel px-3 font-medium hover:bg-raised">
                  <Icon name="test" /> Test
                </Link>
              ),
            },
          ]}
        />
      )}
    </Page>
  );
}

/** How the runs of a task ended, by the hour. */
function Day({ measured, task }: { measured: Measured | undefined; task: string }) {
  const tracks = ofTask(measured, task).map((series) => ({ name: statusWord(series.labels.status as Status), color: statusColor(series.labels.status as Status), values: new Map(series.points.map((point) => [point.at, point.total])) }));
  if (!measured || tracks.length === 0) return <span className="text-dim">–</span>;
  return <Bars label={`Runs of ${task} that ended`} tracks={tracks} since={measured.since} until={measured.until} step={measured.step_ms} />;
}

const ofTask = (measured: Measured | undefined, task: string) => measured?.series.filter((series) => series.labels.task === task) ?? [];

function succeed(measured: Measured | undefined, task: string): string {
  const sums = ofTask(measured, task).map((series) => [series.labels.status, series.points.reduce((sum, point) => sum + point.total, 0)] as const);
  const all = sums.reduce((sum, [, count]) => sum + count, 0);
  const good = sums.find(([status]) => status === "completed")?.[1] ?? 0;
  return all ? `${((good / all) * 100).toFixed(good === all ? 0 : 1)} %` : "";
}

/** How long the runs of the last hour that had some took. */
function lasts(measured: Measured | undefined, task: string): string {
  const point = ofTask(measured, task)[0]?.points.at(-1);
  return point?.p50 != null && point.p95 != null ? `${duration(point.p50)}, ${duration(point.p95)}` : "";
}
