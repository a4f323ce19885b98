/* Schedules: when they are due, on a strip of the days to come; run now, rest, change, delete. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { at, call } from "../../api/call.ts";
import type { Schedule, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading, say } from "../../ui/say.tsx";
import { Ago, moment, momentIn, useNow, useSettled } from "../../ui/time.tsx";

type Asked = { kind: "set"; one: Schedule | null } | { kind: "drop"; one: Schedule } | null;
interface Search {
  days?: string;
  page?: string;
}

const PAGE = 50;
const TICKS = 48;
const DAY_MS = 86_400_000;

export function SchedulesPage() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const days = search.days === "7" ? 7 : 1;
  const page = Math.max(1, Number.parseInt(search.page ?? "1", 10) || 1);
  const found = useAsk<{ schedules: Schedule[]; count: number }>("schedules", { skip: (page - 1) * PAGE, limit: PAGE, ticks: TICKS, ahead_ms: days * DAY_MS }, { every: 5_000 });
  const act = useAct();
  const may = useMay("developer");
  const [asked, setAsked] = useState<Asked>(null);
  const schedules = found.data?.schedules ?? [];
  const close = () => setAsked(null);
  const look = (next: Search) => void navigate({ to: "/schedules", search: { ...search, ...next } });
  const run = async (one: Schedule) => {
    await act(async () => {
      const { run_id } = await call<{ run_id: string }>("run_schedule", { id: one.id });
      const open = (event: React.MouseEvent) => {
        event.preventDefault();
        void navigate({ to: "/runs/$run", params: { run: run_id } });
      };
      say(<>Started <a href={at(`runs/${run_id}`)} onClick={open} className="text-accent underline">a run of {one.task}</a>.</>);
    });
  };
  return (
    <Page
      title="Schedules"
      actions={<Button kind="primary" icon="plus" disabled={!may} onClick={() => setAsked({ kind: "set", one: null })}>New schedule</Button>}
      tools={
        schedules.length > 0 && (
          <div role="group" aria-label="Days to come" className="flex gap-1">
            {[1, 7].map((one) => (
              <Button key={one} kind={days === one ? "plain" : "ghost"} aria-pressed={days === one} onClick={() => look({ days: one === 7 ? "7" : undefined })}>{one === 1 ? "24 hours" : "7 days"}</Button>
            ))}
          </div>
        )
      }
    >
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && schedules.length === 0 && <Empty title="No schedules yet">A schedule triggers a task at times that a cron expression names. Make one here, or beside the task in your code:<div className="mt-3"><Command>{"@schedule(\"0 9 * * MON-FRI\", tz=\"Europe/Berlin\")"}</Command></div></Empty>}
      {schedules.length > 0 && (
        <Grid
          label="Schedules"
          rows={schedules}
          id={(one) => one.id}
          columns={[
            { name: "Task", cell: (one) => <Link to="/runs" search={{ schedule: one.id }} className="inline-block min-w-16 font-medium [overflow-wrap:anywhere] hover:underline">{one.task}</Link> },
            { name: "When", cell: (one) => <>{one.description}<span className="block font-mono text-xs text-dim">{one.cron}{one.window && ` ± ${one.window}`} <span className="font-sans">{one.timezone}</span></span></> },
            { name: `Next ${days === 1 ? "24 hours" : "7 days"}`, wide: true, cell: (one) => <Strip one={one} days={days} /> },
            { name: "Next run", cell: (one) => (one.next_at === null ? <span className="text-dim">rests</span> : <Ago at={one.next_at} />) },
            { name: "Last tick", wide: true, cell: (one) => (one.last_at === null ? <span className="text-dim">none yet</span> : <Ago at={one.last_at} />) },
            {
              name: "Actions",
              right: true,
              cell: (one) => (
                <span className="inline-grid grid-cols-2 justify-end gap-1 md:flex">
                  <Button kind="ghost" icon="test" label={`Run ${one.task} now`} disabled={!may} onClick={() => void run(one)} />
                  <Button kind="ghost" icon={one.active ? "pause" : "play"} label={`${one.active ? "Pause" : "Activate"} the schedule of ${one.task}`} disabled={!may} onClick={() => void act(() => call("switch_schedule", { id: one.id, active: !one.active }))} />
                  <Button kind="ghost" icon="settings" label={`Change the schedule of ${one.task}`} disabled={!may || one.kind === "declarative"} onClick={() => setAsked({ kind: "set", one })} />
                  <Button kind="ghost" icon="close" label={`Delete the schedule of ${one.task}`} disabled={!may || one.kind === "declarative"} onClick={() => setAsked({ kind: "drop", one })} />
                </span>
              ),
            },
          ]}
        />
      )}
      {(found.data?.count ?? 0) > PAGE && (
        <div className="flex items-center justify-center gap-2 p-3">
          <Button disabled={page === 1} onClick={() => look({ page: page === 2 ? undefined : String(page - 1) })}>Newer</Button>
          <span className="num text-dim">{found.data?.count} schedules</span>
          <Button disabled={page * PAGE >= (found.data?.count ?? 0)} onClick={() => look({ page: String(page + 1) })}>Older</Button>
        </div>
      )}
      {asked?.kind === "set" && <SetSchedule one={asked.one} onClose={close} />}
      {asked?.kind === "drop" && (
        <Dialog title="Delete the schedule" onClose={close}>
          <p>{asked.one.task} is not triggered any more: {asked.one.description}.</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={close}>Keep it</Button>
            <Button kind="danger" onClick={() => void act(() => call("delete_schedule", { id: asked.one.id })).then(close)}>Delete it</Button>
          </div>
        </Dialog>
      )}
    </Page>
  );
}

/** A mark for each tick to come; hatched from where there are more than were asked for. */
function Strip({ one, days }: { one: Schedule; days: number }) {
  const now = useNow();
  const share = (at: number) => `${Math.min(100, Math.max(0, ((at - now) / (days * DAY_MS)) * 100))}%`;
  const last = one.ticks.length >= TICKS ? one.ticks.at(-1) : undefined;
  const told = one.ticks.length === 0 ? "none" : last === undefined ? String(one.ticks.length) : `${TICKS} or more`;
  return (
    <span className="relative block h-5 w-36 overflow-hidden rounded bg-raised lg:w-56" role="img" aria-label={`Ticks: ${told}`} title={one.ticks.slice(0, 5).map(moment).join("\n")}>
      {Array.from({ length: days === 7 ? 6 : 3 }, (_, index) => (
        <span key={index} className="absolute inset-y-0 w-px bg-line" style={{ left: `${((index + 1) / (days === 7 ? 7 : 4)) * 100}%` }} />
      ))}
      {one.ticks.map((at) => <span key={at} className="absolute inset-y-1 w-0.5 rounded-full bg-accent" style={{ left: share(at) }} />)}
      {last !== undefined && <span className="hatched absolute inset-y-1 right-0 bg-accent/60" style={{ left: share(last) }} />}
    </span>
  );
}

function SetSchedule({ one, onClose }: { one: Schedule | null; onClose: () => void }) {
  const act = useAct();
  const tasks = useAsk<{ tasks: Task[] }>("tasks");
  const [task, setTask] = useState(one?.task ?? "");
  const [cron, setCron] = useState(one?.cron ?? "0 9 * * 1-5");
  const [zone, setZone] = useState(one?.timezone ?? (Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"));
  const chosen = task || tasks.data?.tasks[0]?.id || "";
  const ahead = useAsk<{ at: number[] }>("next_ticks", { cron: useSettled(cron.trim()), timezone: useSettled(zone), count: 3 });
  const kept = one && { id: one.id, window: one.window, external_id: one.external_id, dedup_key: one.dedup_key, catch_up: one.catch_up };
  const set = () => void act(() => call("set_schedule", { ...kept, task: chosen, cron: cron.trim(), timezone: zone })).then((done) => { if (done) { say(one ? "The schedule is changed." : "The schedule is active."); onClose(); } });
  return (
    <Dialog title={one ? "Change the schedule" : "New schedule"} onClose={onClose}>
      <form className="space-y-3" onSubmit={(event) => { event.preventDefault(); set(); }}>
        <label className="block">
          <span className="font-medium">Task</span>
          <select className="field mt-1" required value={chosen} onChange={(event) => setTask(event.target.value)}>
            {tasks.data?.tasks.map((known) => <option key={known.id}>{known.id}</option>)}
          </select>
        </label>
        <label className="block">
          <span className="font-medium">Cron expression</span>
          <input className="field mt-1 font-mono" required value={cron} onChange={(event) => setCron(event.target.value)} />
          <span className="text-dim">minute, hour, day of month, month, day of week; or @every 10m</span>
        </label>
        <label className="block">
          <span className="font-medium">Time zone</span>
          <input className="field mt-1" required list="zones" value={zone} onChange={(event) => setZone(event.target.value)} />
          <datalist id="zones">{Intl.supportedValuesOf("timeZone").map((known) => <option key={known} value={known} />)}</datalist>
        </label>
        <p aria-live="polite" className={`min-h-10 ${ahead.error ? "text-bad" : "text-dim"}`}>
          {ahead.error ? ahead.error.message : ahead.data && `Next: ${ahead.data.at.map(momentIn(zone)).join(" · ")}`}
        </p>
        <div className="flex justify-end"><Button kind="primary" type="submit" disabled={!chosen}>{one ? "Change it" : "Make it"}</Button></div>
      </form>
    </Dialog>
  );
}
