/* This session, its password, and this server. */

import { type FormEvent, useState } from "react";
import { at, session as sessions } from "../../api/call.ts";
import { Page } from "../../frame/page.tsx";
import { useSession } from "../../frame/session.ts";
import { switchTheme, useDark } from "../../frame/theme.ts";
import { Button } from "../../ui/controls.tsx";
import { Command, say, sayFailure } from "../../ui/say.tsx";

export function SettingsPage() {
  const { session } = useSession();
  const dark = useDark();
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
