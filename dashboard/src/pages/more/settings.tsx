/* This session, this server, and the versions of the tasks that it knows. */

import { type FormEvent, useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { at, session as sessions } from "../../api/call.ts";
import { Page } from "../../frame/page.tsx";
import { useSession } from "../../frame/session.ts";
import { switchTheme, useDark } from "../../frame/theme.ts";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, say, sayFailure } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

interface Deployment {
  id: string;
  version: string;
  created_at: number;
  workers: number;
}

export function SettingsPage() {
  const { session } = useSession();
  const dark = useDark();
  const found = useAsk<{ deployments: Deployment[] }>("deployments", { limit: 20 }, { every: 5_000 });
  const rows: [string, React.ReactNode][] = [
    ["Signed in as", session.dev ? "the developer of this machine" : session.name],
    ["Environment", session.environments.map((one) => (one.role ? `${one.slug} (${one.role})` : one.slug)).join(", ")],
    ["Release", session.release],
    ["Theme", <Button key="theme" onClick={switchTheme}>{dark ? "Use light" : "Use dark"}</Button>],
    ["The HTTP API", <a key="docs" href={at("docs")} className="text-accent hover:underline">{at("docs")}</a>],
    ["Without scripts", <a key="plain" href={at("plain")} className="text-accent hover:underline">the plain pages</a>],
  ];
  return (
    <Page title="Settings">
      <dl className="max-w-2xl px-4 py-3 md:px-5">
        {rows.map(([name, value]) => (
          <div key={name} className="grid grid-cols-[9rem_minmax(0,1fr)] items-center gap-3 border-b border-line py-2 last:border-0">
            <dt className="text-dim">{name}</dt>
            <dd className="[overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
      </dl>
      {session.name?.startsWith("person ") && <Password />}
      <section className="max-w-2xl px-4 py-3 md:px-5">
        <h2 className="mb-2 font-semibold">Programs find this server by</h2>
        <Command>{`MAINSPRING_URL=${at("").replace(/\/$/, "")}`}</Command>
      </section>
      <h2 className="px-4 pt-4 pb-2 font-semibold md:px-5">Versions of the tasks</h2>
      {found.data?.deployments.length === 0 && <p className="px-4 text-dim md:px-5">No worker has announced tasks yet.</p>}
      {(found.data?.deployments.length ?? 0) > 0 && (
        <Grid
          label="Versions of the tasks"
          rows={found.data?.deployments ?? []}
          id={(one) => one.id}
          columns={[
            { name: "Version", cell: (one) => <code className="font-mono text-[13px]">{one.version}</code> },
            { name: "Workers", right: true, cell: (one) => <span className="num">{one.workers}</span> },
            { name: "Since", right: true, cell: (one) => <Ago at={one.created_at} /> },
          ]}
        />
      )}
    </Page>
  );
}

/** A password, with which one signs in by name. */
function Password() {
  const [password, setPassword] = useState("");
  const [old, setOld] = useState("");
  const set = (event: FormEvent) => {
    event.preventDefault();
    sessions.setPassword(password, old).then(() => { setPassword(""); setOld(""); say("The password is set. Sign in with your name from now on."); }, sayFailure);
  };
  return (
    <section className="max-w-2xl px-4 py-3 md:px-5">
      <h2 className="mb-2 font-semibold">Password</h2>
      <form className="flex flex-wrap items-end gap-2" onSubmit={set}>
        <label className="min-w-48 flex-1">New password<input type="password" className="field mt-1" required minLength={10} autoComplete="new-password" value={password} onChange={(event) => setPassword(event.target.value)} /></label>
        <label className="min-w-48 flex-1">The old one, if there is one<input type="password" className="field mt-1" autoComplete="current-password" value={old} onChange={(event) => setOld(event.target.value)} /></label>
        <Button type="submit">Set</Button>
      </form>
    </section>
  );
}
