/* Schedules: when they are due, rest and activate, make and delete. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import type { Schedule, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Empty, Failure, Loading, say } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

type Asked = "new" | Schedule | null;

export function SchedulesPage() {
  const found = useAsk<{ schedules: Schedule[]; count: number }>("schedules", { limit: 100 }, { every: 5_000 });
  const act = useAct();
  const may = useMay("developer");
  const [asked, setAsked] = useState<Asked>(null);
  const schedules = found.data?.schedules ?? [];
  return (
    <Page title="Schedules" actions={<Button kind="primary" icon="plus" disabled={!may} onClick={() => setAsked("new")}>New schedule</Button>}>
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && schedules.length === 0 && <Empty title="No schedules yet">A schedule triggers a task at times that a cron expression names. Make one here, or beside the task in your code.</Empty>}
      {schedules.length > 0 && (
        <Grid
          label="Schedules"
          rows={schedules}
          id={(one) => one.id}
          columns={[
            { name: "Task", cell: (one) => <Link to="/runs" search={{ schedule: one.id }} className="font-medium hover:underline">{one.task}</Link> },
            { name: "When", cell: (one) => <>{one.description}<span className="block font-mono text-xs text-dim">{one.cron}{one.window && ` ± ${one.window}`}</span></> },
            { name: "Zone", wide: true, cell: (one) => <span className="text-dim">{one.timezone}</span> },
            { name: "Next run", cell: (one) => (one.next_at === null ? <span className="text-dim">rests</span> : <Ago at={one.next_at} />) },
            { name: "Key", wide: true, cell: (one) => <span className="font-mono text-xs text-dim">{one.dedup_key ?? ""}</span> },
            {
              name: "Actions",
              right: true,
              cell: (one) => (
                <span className="inline-flex justify-end gap-1">
                  <Button kind="ghost" icon={one.active ? "pause" : "play"} label={`${one.active ? "Pause" : "Activate"} the schedule of ${one.task}`} disabled={!may} onClick={() => void act(() => call("switch_schedule", { id: one.id, active: !one.active }))} />
                  <Button kind="ghost" icon="close" label={`Delete the schedule of ${one.task}`} disabled={!may || one.kind === "declarative"} onClick={() => setAsked(one)} />
                </span>
              ),
            },
          ]}
        />
      )}
      {asked === "new" && <NewSchedule onClose={() => setAsked(null)} />}
      {asked !== null && asked !== "new" && (
        <Dialog title="Delete the schedule" onClose={() => setAsked(null)}>
          <p>{asked.task} is not triggered any more: {asked.description}.</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsked(null)}>Keep it</Button>
            <Button kind="danger" onClick={() => void act(() => call("delete_schedule", { id: asked.id })).then(() => setAsked(null))}>Delete it</Button>
          </div>
        </Dialog>
      )}
    </Page>
  );
}

function NewSchedule({ onClose }: { onClose: () => void }) {
  const act = useAct();
  const tasks = useAsk<{ tasks: Task[] }>("tasks");
  const [task, setTask] = useState("");
  const [cron, setCron] = useState("0 9 * * 1-5");
  const [zone, setZone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  const chosen = task || tasks.data?.tasks[0]?.id || "";
  const make = () => void act(() => call("set_schedule", { task: chosen, cron: cron.trim(), timezone: zone })).then((done) => { if (done) { say("The schedule is active."); onClose(); } });
  return (
    <Dialog title="New schedule" onClose={onClose}>
      <form className="space-y-3" onSubmit={(event) => { event.preventDefault(); make(); }}>
        <label className="block">
          <span className="font-medium">Task</span>
          <select className="field mt-1" required value={chosen} onChange={(event) => setTask(event.target.value)}>
            {tasks.data?.tasks.map((one) => <option key={one.id}>{one.id}</option>)}
          </select>
        </label>
        <label className="block">
          <span className="font-medium">Cron expression</span>
          <input className="field mt-1 font-mono" required value={cron} onChange={(event) => setCron(event.target.value)} />
          <span className="text-dim">minute, hour, day of month, month, day of week</span>
        </label>
        <label className="block">
          <span className="font-medium">Time zone</span>
          <input className="field mt-1" required list="zones" value={zone} onChange={(event) => setZone(event.target.value)} />
          <datalist id="zones">{Intl.supportedValuesOf("timeZone").map((one) => <option key={one} value={one} />)}</datalist>
        </label>
        <div className="flex justify-end"><Button kind="primary" type="submit" disabled={!chosen}>Make it</Button></div>
      </form>
    </Dialog>
  );
}
