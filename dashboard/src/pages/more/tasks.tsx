/* Tasks that workers have announced. */

import { Link } from "@tanstack/react-router";
import { useAsk } from "../../api/ask.ts";
import type { Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Icon } from "../../ui/icons.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { StartCard } from "../runs/start.tsx";

export function TasksPage() {
  const found = useAsk<{ tasks: Task[] }>("tasks", {}, { every: 4_000 });
  const tasks = found.data?.tasks ?? [];
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
