/* Environment variables: set, replace, delete, and many at once from a .env file. */

import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { call, chosenEnvironment } from "../../api/call.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading, say } from "../../ui/say.tsx";

interface Variable {
  name: string;
  value: string;
  isSecret: boolean;
}
type Asked = { kind: "set"; one: Variable | null } | { kind: "drop"; one: Variable } | { kind: "import" } | null;

export function VariablesPage() {
  const may = useMay("developer");
  const change = useMay("admin");
  const found = useAsk<{ variables: Variable[] }>("variables", {}, { enabled: may });
  const act = useAct();
  const [asked, setAsked] = useState<Asked>(null);
  const close = () => setAsked(null);
  const variables = found.data?.variables ?? [];
  return (
    <Page
      title="Environment variables"
      actions={
        <>
          <Button disabled={!change} onClick={() => setAsked({ kind: "import" })}>Import .env</Button>
          <Button kind="primary" icon="plus" disabled={!change} onClick={() => setAsked({ kind: "set", one: null })}>New variable</Button>
        </>
      }
    >
      {!may && <Empty title="Not for this role">Developers read variables, admins change them.</Empty>}
      {may && found.error && <Failure error={found.error} />}
      {may && found.isPending && <Loading />}
      {found.isSuccess && variables.length === 0 && <Empty title={`No variables in ${chosenEnvironment()}`}>Workers get them when they start, before they import your code. Secrets are sealed in the database and hidden wherever runs are shown.<div className="mt-3"><Command>mainspring env set --secret API_TOKEN</Command></div></Empty>}
      {variables.length > 0 && (
        <Grid
          label="Environment variables"
          rows={variables}
          id={(one) => one.name}
          columns={[
            { name: "Name", cell: (one) => <code className="font-mono text-[13px] [overflow-wrap:anywhere]">{one.name}</code> },
            { name: "Value", cell: (one) => <span className="font-mono text-[13px] text-dim [overflow-wrap:anywhere]">{one.isSecret ? "secret" : one.value}</span> },
            {
              name: "Actions",
              right: true,
              cell: (one) => (
                <span className="inline-flex justify-end gap-1">
                  <Button kind="ghost" icon="settings" label={`Change ${one.name}`} disabled={!change} onClick={() => setAsked({ kind: "set", one })} />
                  <Button kind="ghost" icon="close" label={`Delete ${one.name}`} disabled={!change} onClick={() => setAsked({ kind: "drop", one })} />
                </span>
              ),
            },
          ]}
        />
      )}
      {asked?.kind === "set" && <SetVariable one={asked.one} onClose={close} />}
      {asked?.kind === "import" && <Import onClose={close} />}
      {asked?.kind === "drop" && (
        <Dialog title={`Delete ${asked.one.name}`} onClose={close}>
          <p>Workers that start from now on do not get it.</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={close}>Keep it</Button>
            <Button kind="danger" onClick={() => void act(() => call("drop_variable", { name: asked.one.name })).then(close)}>Delete it</Button>
          </div>
        </Dialog>
      )}
    </Page>
  );
}

function SetVariable({ one, onClose }: { one: Variable | null; onClose: () => void }) {
  const act = useAct();
  const [name, setName] = useState(one?.name ?? "");
  const [value, setValue] = useState(one && !one.isSecret ? one.value : "");
  const [secret, setSecret] = useState(one?.isSecret ?? false);
  const set = () => void act(() => call("set_variables", { values: { [name.trim()]: value }, mode: one ? "existing" : "new", secret })).then((done) => done && onClose());
  return (
    <Dialog title={one ? `Change ${one.name}` : "New variable"} onClose={onClose}>
      <form className="space-y-3" onSubmit={(event) => { event.preventDefault(); set(); }}>
        {!one && (
          <label className="block">
            <span className="font-medium">Name</span>
            <input className="field mt-1 font-mono" required pattern="[A-Za-z_][A-Za-z0-9_]*" value={name} onChange={(event) => setName(event.target.value)} />
          </label>
        )}
        <label className="block">
          <span className="font-medium">Value</span>
          <textarea rows={3} spellCheck={false} className="field mt-1 font-mono" placeholder={one?.isSecret ? "the old value is never shown" : ""} value={value} onChange={(event) => setValue(event.target.value)} />
        </label>
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={secret} disabled={one?.isSecret} onChange={(event) => setSecret(event.target.checked)} />
          Secret: never shown again
        </label>
        <div className="flex justify-end"><Button kind="primary" type="submit">Save</Button></div>
      </form>
    </Dialog>
  );
}

/** The lines of a .env file as names and values; comments are passed over. */
export function lines(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = line.match(/^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/);
    if (!match?.[1]) continue;
    const quoted = match[2]?.match(/^(["'])(.*)\1$/);
    found[match[1]] = quoted ? (quoted[2] ?? "") : (match[2] ?? "").replace(/\s+#.*$/, "");
  }
  return found;
}

function Import({ onClose }: { onClose: () => void }) {
  const act = useAct();
  const [text, setText] = useState("");
  const [secret, setSecret] = useState(true);
  const values = lines(text);
  const count = Object.keys(values).length;
  const set = () => void act(() => call("set_variables", { values, secret })).then((done) => { if (done) { say(`Set ${count} variables.`); onClose(); } });
  return (
    <Dialog title="Import a .env file" onClose={onClose} wide>
      <label className="block">
        <span className="font-medium">Lines</span>
        <textarea rows={10} spellCheck={false} className="field mt-1 font-mono text-[13px]" placeholder={"API_KEY=…\n# comments are passed over"} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <label className="mt-2 flex items-center gap-2">
        <input type="checkbox" checked={secret} onChange={(event) => setSecret(event.target.checked)} />
        They are secrets
      </label>
      <div className="mt-4 flex justify-end"><Button kind="primary" disabled={count === 0} onClick={set}>Set {count || ""}</Button></div>
    </Dialog>
  );
}
