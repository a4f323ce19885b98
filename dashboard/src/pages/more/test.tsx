/* Trying a task out: a form or the raw payload, a few options, the payloads of earlier runs. */

import { useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { call, chosenEnvironment } from "../../api/call.ts";
import type { RunDetail, RunPage, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Menu, MenuItem } from "../../ui/controls.tsx";
import { pretty } from "../../ui/json.tsx";
import { useKept } from "../../ui/kept.ts";
import { Empty, Failure, Loading, sayFailure } from "../../ui/say.tsx";
import { StatusBadge } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import { JsonField, problem } from "../run/actions.tsx";
import { initial, isForm, SchemaForm } from "./schema.tsx";

export function TestPage() {
  const { task: id } = useParams({ strict: false }) as { task: string };
  const found = useAsk<{ tasks: Task[] }>("tasks");
  const task = found.data?.tasks.find((one) => one.id === id);
  const title = `Test ${id}`;
  if (found.error) return <Page title={title}><Failure error={found.error} /></Page>;
  if (found.isPending) return <Page title={title}><Loading /></Page>;
  if (!task) return <Page title={title}><Empty title="No worker knows this task">Start one, or choose another task.</Empty></Page>;
  return <Tester key={id} task={task} title={title} />;
}

function Tester({ task, title }: { task: Task; title: string }) {
  const navigate = useNavigate();
  const may = useMay("developer");
  const schema = task.payload_schema;
  const [raw, setRaw] = useState(!isForm(schema));
  const [text, setText] = useState(() => JSON.stringify(schema ? initial(schema) : {}, null, 2));
  const [tags, setTags] = useState("");
  const [delay, setDelay] = useState("");
  const [busy, setBusy] = useState(false);
  const wrong = problem(text);
  const earlier = useAsk<RunPage>("list", { filter: { task: [task.id], limit: 8 } });

  const run = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const options: Record<string, unknown> = { is_test: true };
      if (tags.trim()) options.tags = tags.split(",").map((tag) => tag.trim()).filter(Boolean);
      if (delay) options.delay_ms = Number(delay) * 1000;
      const made = await call<{ answers: { run_id: string }[] }>("trigger", { requests: [{ task: task.id, payload: JSON.stringify(JSON.parse(text)), options }], request_key: crypto.randomUUID() });
      if (made.answers[0]) await navigate({ to: "/runs/$run", params: { run: made.answers[0].run_id } });
    } catch (error) {
      sayFailure(error);
      setBusy(false);
    }
  };
  const take = (id: string) =>
    void call<RunDetail>("inspect", { run_id: id }).then(({ run: old }) => {
      if (old.payload !== null) setText(pretty(old.payload));
    }, sayFailure);

  return (
    <Page
      title={title}
      actions={
        <>
        <Templates task={task.id} text={text} take={setText} />
        {(earlier.data?.runs.length ?? 0) > 0 && (
          <Menu label="Earlier payloads" icon="down" align="right">
            {(close) =>
              earlier.data?.runs.map((old) => (
                <MenuItem key={old.id} onClick={() => { close(); take(old.id); }}>
                  <StatusBadge status={old.status} iconOnly />
                  <span className="font-mono text-xs">{old.id}</span>
                  <span className="text-dim"><Ago at={old.created_at} /></span>
                </MenuItem>
              ))
            }
          </Menu>
        )}
        </>
      }
    >
      <form onSubmit={(event) => void run(event)} className="grid w-full max-w-5xl gap-5 p-4 md:grid-cols-[1fr_17rem] md:p-5">
        <section aria-label="Payload" className="min-w-0">
          <div className="mb-3 flex items-center justify-between gap-3">
            <p className="text-dim">{task.description}</p>
            {isForm(schema) && (
              <Button aria-pressed={raw} disabled={wrong !== ""} onClick={() => setRaw(!raw)}>
                {raw ? "As a form" : "As JSON"}
              </Button>
            )}
          </div>
          {raw || !isForm(schema) ? (
            <JsonField label="Payload" text={text} change={setText} wrong={wrong} />
          ) : (
            <SchemaForm schema={schema} root={schema} value={JSON.parse(text)} change={(value) => setText(JSON.stringify(value, null, 2))} />
          )}
        </section>
        <section aria-label="Options" className="space-y-3">
          <label className="block">
            <span className="font-medium">Tags</span>
            <input className="field mt-1" placeholder="with commas between" value={tags} onChange={(event) => setTags(event.target.value)} />
          </label>
          <label className="block">
            <span className="font-medium">Delay in seconds</span>
            <input type="number" min={0} className="field mt-1" value={delay} onChange={(event) => setDelay(event.target.value)} />
          </label>
          <Button kind="primary" icon="play" type="submit" className="w-full" disabled={!may || busy || wrong !== ""}>
            Run
          </Button>
          {task.workers === 0 && <p className="text-wait">No worker has this task now; the run waits for one.</p>}
        </section>
      </form>
    </Page>
  );
}

interface Template {
  name: string;
  text: string;
}

/** Payloads with a name, kept in this browser. */
function Templates({ task, text, take }: { task: string; text: string; take: (text: string) => void }) {
  const [templates, keep] = useKept<Template>(`templates-${chosenEnvironment()}-${task}`);
  const [name, setName] = useState("");
  const save = () => {
    keep([...templates.filter((one) => one.name !== name.trim()), { name: name.trim(), text }]);
    setName("");
  };
  return (
    <Menu label="Templates" icon="down" align="right">
      {(close) => (
        <>
          {templates.map((one) => (
            <div key={one.name} className="flex items-center">
              <MenuItem onClick={() => { close(); take(one.text); }}>{one.name}</MenuItem>
              <Button kind="ghost" icon="close" label={`Delete the template ${one.name}`} className="size-7!" onClick={() => keep(templates.filter((other) => other !== one))} />
            </div>
          ))}
          <form className="flex gap-1.5 p-1" onSubmit={(event) => { event.preventDefault(); save(); close(); }}>
            <input className="field" aria-label="Name of the template" placeholder="Name" required maxLength={60} value={name} onChange={(event) => setName(event.target.value)} />
            <Button type="submit">Save</Button>
          </form>
        </>
      )}
    </Menu>
  );
}
