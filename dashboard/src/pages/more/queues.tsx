/* Queues: how deep, how many at once, why something waits. */

import { Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { call, chosenEnvironment } from "../../api/call.ts";
import type { Explanation, Queue, QueueKey, RunPage } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog, Menu, MenuItem } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Meter } from "../../ui/meter.tsx";
import { Empty, Failure, Loading, say, sayFailure } from "../../ui/say.tsx";
import { Waiting } from "../../ui/time.tsx";

type Asked = { kind: "limit" | "keys"; queue: Queue } | { kind: "why"; queue: Queue; told: Explanation } | null;

export function QueuesPage() {
  const found = useAsk<{ queues: Queue[] }>("queues", {}, { follow: true, every: 5_000 });
  const act = useAct();
  const may = useMay("operator");
  const [asked, setAsked] = useState<Asked>(null);
  const queues = found.data?.queues ?? [];
  const env = chosenEnvironment();
  const pauseAll = (paused: boolean) => void act(() => call("pause_environment", { paused })).then((done) => done && say(paused ? `${env} starts no more runs.` : `${env} starts runs again.`));
  const why = async (queue: Queue) => {
    try {
      const { runs } = await call<RunPage>("list", { filter: { queue: [queue.name], status: ["queued", "pending_version"], limit: 1 } });
      if (runs[0]) setAsked({ kind: "why", queue, told: await call<Explanation>("explain", { run_id: runs[0].id }) });
      else say("Nothing waits in this queue now.");
    } catch (error) {
      sayFailure(error);
    }
  };
  return (
    <Page
      title="Queues"
      actions={
        may && (
          <Menu label="All queues" icon="down" align="right">
            {(close) => (
              <>
                <MenuItem onClick={() => { close(); pauseAll(true); }}>Pause all of {env}</MenuItem>
                <MenuItem onClick={() => { close(); pauseAll(false); }}>Resume all of {env}</MenuItem>
              </>
            )}
          </Menu>
        )
      }
    >
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && queues.length === 0 && <Empty title="No queues yet">Each task has a queue of its own as soon as a worker knows it. Several share one with <code className="font-mono">Queue("mail", concurrency_limit=5)</code>.</Empty>}
      {queues.length > 0 && (
        <Grid
          label="Queues"
          rows={queues}
          id={(queue) => queue.name}
          columns={[
            { name: "Queue", cell: (queue) => <span className="flex flex-wrap items-center gap-2 font-medium [overflow-wrap:anywhere]"><span><Broken name={queue.name} /></span>{queue.paused && <span className="rounded bg-raised px-1.5 py-0.5 text-xs font-normal text-wait">paused</span>}</span> },
            { name: "Queued", right: true, cell: (queue) => <Link to="/runs" search={{ queue: queue.name, status: "queued" }} className="num hover:underline" aria-label={`${queue.queued} queued in ${queue.name}`}>{queue.queued}</Link> },
            { name: "Oldest waits", right: true, wide: true, cell: (queue) => <Waiting since={queue.oldest_at} /> },
            { name: "Running", cell: (queue) => <Meter value={queue.running} most={queue.limit} label={`${queue.running} run now`} /> },
            { name: "Limit", wide: true, cell: (queue) => <Limit queue={queue} /> },
            ...(queues.some((queue) => queue.rate) ? [{ name: "Rate", wide: true, cell: (queue: Queue) => <span className="text-dim">{queue.rate}</span> }] : []),
            {
              name: "Actions",
              right: true,
              cell: (queue) => (
                <span className="inline-flex justify-end md:gap-1">
                  {queue.queued > 0 && <Button kind="ghost" icon="help" label={`Why do runs of ${queue.name} wait?`} onClick={() => void why(queue)} />}
                  {(queue.queued > 0 || queue.running > 0) && <Button kind="ghost" icon="keys" label={`Keys of ${queue.name}`} onClick={() => setAsked({ kind: "keys", queue })} />}
                  <Button kind="ghost" icon="settings" label={`Limit of ${queue.name}`} disabled={!may} onClick={() => setAsked({ kind: "limit", queue })} />
                  <Button kind="ghost" icon={queue.paused ? "play" : "pause"} label={`${queue.paused ? "Resume" : "Pause"} ${queue.name}`} disabled={!may} onClick={() => void act(() => call("pause_queue", { name: queue.name, paused: !queue.paused }))} />
                </span>
              ),
            },
          ]}
        />
      )}
      {asked?.kind === "limit" && <LimitDialog queue={asked.queue} onClose={() => setAsked(null)} />}
      {asked?.kind === "keys" && <Keys name={asked.queue.name} onClose={() => setAsked(null)} />}
      {asked?.kind === "why" && (
        <Dialog title={`Why runs of ${asked.queue.name} wait`} onClose={() => setAsked(null)}>
          <p>{asked.told.text}</p>
          {asked.told.holders.length > 0 && (
            <>
              <h3 className="mt-3 font-semibold">Who holds the slots</h3>
              <ul>
                {asked.told.holders.map((id) => (
                  <li key={id}><Link to="/runs/$run" params={{ run: id }} className="font-mono text-[12.5px] text-accent hover:underline">{id}</Link></li>
                ))}
              </ul>
            </>
          )}
        </Dialog>
      )}
    </Page>
  );
}

/** Who waits and runs in a queue, by concurrency key. */
function Keys({ name, onClose }: { name: string; onClose: () => void }) {
  const found = useAsk<{ keys: QueueKey[]; more: boolean }>("queue_keys", { name }, { every: 2_000 });
  const keys = found.data?.keys ?? [];
  return (
    <Dialog title={`${name} by concurrency key`} onClose={onClose} wide>
      {found.error && <Failure error={found.error} />}
      {found.isSuccess && keys.length === 0 && <p className="text-dim">Nothing waits or runs in it now.</p>}
      {keys.length > 0 && (
        <Grid
          label="Concurrency keys"
          rows={keys}
          id={(one) => one.key}
          columns={[
            { name: "Key", cell: (one) => <span className="flex flex-wrap items-center gap-2">{one.key ? <code className="font-mono text-[13px] [overflow-wrap:anywhere]">{one.key}</code> : <span className="text-dim">no key</span>}{one.paused && <span className="text-wait">paused</span>}</span> },
            { name: "Queued", right: true, cell: (one) => <span className="num">{one.queued}</span> },
            { name: "Running", cell: (one) => <Meter value={one.running} most={one.limit} label={`${one.running} run now`} /> },
            { name: "Oldest waits", right: true, cell: (one) => <Waiting since={one.oldest_at} /> },
          ]}
        />
      )}
      {found.data?.more && <p className="p-3 text-dim">There are more keys; these have the most runs waiting.</p>}
    </Dialog>
  );
}

function Limit({ queue }: { queue: Queue }) {
  if (queue.limit === null) return <span className="text-dim">none</span>;
  return <span className="num">{queue.limit}{queue.override_limit !== null && <span className="ml-1.5 text-dim">set here, the code says {queue.base_limit ?? "none"}</span>}</span>;
}

function LimitDialog({ queue, onClose }: { queue: Queue; onClose: () => void }) {
  const act = useAct();
  const [text, setText] = useState(String(queue.limit ?? ""));
  const set = (fields: object) => void act(() => call("set_queue", { name: queue.name, ...fields })).then((done) => done && onClose());
  return (
    <Dialog title={`Limit of ${queue.name}`} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); set({ limit: Number(text) }); }}>
        <label className="block font-medium" htmlFor="limit">Runs at once</label>
        <input id="limit" type="number" min={0} max={100000} required className="field mt-1" value={text} onChange={(event) => setText(event.target.value)} />
        <p className="mt-2 text-dim">It holds until it is taken back, whatever the code says ({queue.base_limit ?? "no limit"}).</p>
        <div className="mt-4 flex justify-end gap-2">
          {queue.override_limit !== null && <Button onClick={() => set({ reset: true })}>Back to the code's</Button>}
          <Button kind="primary" type="submit">Set</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A name that breaks behind its slashes first. */
const Broken = ({ name }: { name: string }) => name.split("/").map((part, index) => <Fragment key={index}>{index > 0 && <>/<wbr /></>}{part}</Fragment>);
