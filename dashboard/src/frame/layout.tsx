/* What is around every page: the rail, the environment, whether the page is live. */

import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { chooseEnvironment, session as sessions } from "../api/call.ts";
import { live, useLiveState } from "../api/live.ts";
import { Button, Dialog, Menu, MenuItem } from "../ui/controls.tsx";
import { Icon, type IconName } from "../ui/icons.tsx";
import { sayFailure } from "../ui/say.tsx";
import { Logo } from "./logo.tsx";
import { useSession } from "./session.ts";
import { ShortcutSheet, useKeys } from "./shortcuts.tsx";
import { switchTheme, useDark } from "./theme.ts";

interface Place {
  to: string;
  word: string;
  icon: IconName;
}
const RAIL: { name: string; places: Place[] }[] = [
  {
    name: "Work",
    places: [
      { to: "/overview", word: "Overview", icon: "overview" },
      { to: "/runs", word: "Runs", icon: "runs" },
      { to: "/tasks", word: "Tasks", icon: "tasks" },
      { to: "/queues", word: "Queues", icon: "queues" },
      { to: "/schedules", word: "Schedules", icon: "schedules" },
      { to: "/batches", word: "Batches", icon: "batches" },
      { to: "/approvals", word: "Approvals", icon: "approvals" },
      { to: "/tokens", word: "Tokens", icon: "tokens" },
    ],
  },
  {
    name: "Look",
    places: [
      { to: "/errors", word: "Errors", icon: "errors" },
      { to: "/logs", word: "Logs", icon: "logs" },
      { to: "/charts", word: "Metrics", icon: "metrics" },
    ],
  },
  {
    name: "House",
    places: [
      { to: "/workers", word: "Workers", icon: "workers" },
      { to: "/deployments", word: "Deployments", icon: "deployments" },
      { to: "/variables", word: "Variables", icon: "variables" },
      { to: "/keys", word: "API keys", icon: "keys" },
      { to: "/audit", word: "Audit log", icon: "audit" },
      { to: "/settings", word: "Settings", icon: "settings" },
    ],
  },
];
const PAGES = RAIL.flatMap((group) => group.places);

const BANDS: Record<string, string> = { dev: "bg-busy", stg: "bg-wait", prod: "bg-bad", preview: "bg-off" };
const band = (slug: string) => BANDS[slug] ?? "bg-off";

export function Layout() {
  const [help, setHelp] = useState(false);
  const [rail, setRail] = useState(false);
  const [find, setFind] = useState(false);
  const navigate = useNavigate();
  const { pathname } = useLocation();
  useEffect(() => setRail(false), [pathname]);
  const jumps = Object.fromEntries(PAGES.slice(0, 9).map((page, index) => [String(index + 1), () => void navigate({ to: page.to })]));
  useKeys({ "?": () => setHelp(true), "/": () => setFind(true), ...jumps });
  const { session } = useSession();
  return (
    <div className="flex h-full flex-col md:flex-row">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-panel focus:p-2" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        To the content
      </a>
      <header className="flex items-center justify-between border-b border-line bg-panel px-3 py-2 md:hidden">
        <Logo />
        <span className="flex items-center gap-1">
          <LiveDot />
          <Button kind="ghost" icon="menu" label="Menu" aria-expanded={rail} onClick={() => setRail(!rail)} />
        </span>
      </header>
      <aside className={`${rail ? "flex" : "hidden"} w-full shrink-0 flex-col border-r border-line bg-panel md:flex md:w-52`}>
        <div className={`h-[3px] ${band(session.environment ?? "")}`} />
        <div className="hidden px-3.5 pt-3.5 pb-2 md:block">
          <Logo />
        </div>
        <EnvironmentSwitch />
        <nav aria-label="Pages" className="flex-1 overflow-y-auto px-2 py-1">
          {RAIL.map((group) => (
            <div key={group.name} role="group" aria-label={group.name} className="mb-2 border-line pt-2 not-first:border-t">
              {group.places.map((page) => (
                <Link
                  key={page.to}
                  to={page.to}
                  className="mb-px flex items-center gap-2.5 rounded-md px-2 py-1.5 text-dim hover:bg-raised hover:text-ink"
                  activeProps={{ className: "bg-raised text-ink! font-medium", "aria-current": "page" }}
                >
                  <Icon name={page.icon} />
                  {page.word}
                </Link>
              ))}
            </div>
          ))}
        </nav>
        <Foot onHelp={() => setHelp(true)} onFind={() => setFind(true)} />
      </aside>
      <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
        <Outlet />
      </main>
      {help && <ShortcutSheet onClose={() => setHelp(false)} />}
      {find && <FindRun onClose={() => setFind(false)} />}
    </div>
  );
}

function EnvironmentSwitch() {
  const { session, enter } = useSession();
  const choose = (slug: string) => {
    chooseEnvironment(slug);
    enter({ ...session, environment: slug });
  };
  const dot = <span className={`size-2 rounded-full ${band(session.environment ?? "")}`} />;
  if (session.environments.length < 2) {
    return (
      <div className="mx-2 mb-1 flex items-center gap-2 px-2 py-1.5 text-dim">
        {dot}
        <span className="sr-only">Environment</span>
        <span className="font-mono text-[13px]">{session.environment}</span>
      </div>
    );
  }
  return (
    <div className="mx-2 mb-1">
      <Menu label={`Environment: ${session.environment}`} icon="down">
        {(close) =>
          session.environments.map(({ slug, role }) => (
            <MenuItem key={slug} checked={slug === session.environment} onClick={() => { close(); choose(slug); }}>
              <span className={`size-2 rounded-full ${band(slug)}`} />
              <span className="font-mono text-[13px]">{slug}</span>
              <span className="text-dim">{role}</span>
            </MenuItem>
          ))
        }
      </Menu>
    </div>
  );
}

function Foot({ onHelp, onFind }: { onHelp: () => void; onFind: () => void }) {
  const { session, enter } = useSession();
  const dark = useDark();
  const leave = () => void sessions.end().then((told) => { live.stop(); enter({ ...told, dev: false }); }, sayFailure);
  return (
    <div className="border-t border-line p-2">
      <div className="flex items-center gap-0.5">
        <LiveDot words />
        <span className="flex-1" />
        <Button kind="ghost" icon="search" label="Find a run (/)" onClick={onFind} />
        <Button kind="ghost" icon={dark ? "sun" : "moon"} label={dark ? "Light theme" : "Dark theme"} onClick={switchTheme} />
        <Button kind="ghost" icon="help" label="Keys (?)" onClick={onHelp} />
      </div>
      {!session.dev && (
        <div className="mt-1 flex items-center justify-between gap-2 pl-2 text-dim">
          <span className="truncate" title={session.name}>{session.name}</span>
          <Button kind="ghost" onClick={leave}>Sign out</Button>
        </div>
      )}
    </div>
  );
}

const WORDS = { connecting: "Connecting", live: "Live", offline: "Offline" } as const;
const DOTS = { connecting: "bg-off", live: "bg-good", offline: "bg-bad" } as const;

function LiveDot({ words = false }: { words?: boolean }) {
  const state = useLiveState();
  return (
    <span role="status" className="flex items-center gap-2 px-2 text-dim" title={state === "offline" ? "The server cannot be reached. This page tries again by itself." : undefined}>
      <span className={`size-2 rounded-full ${DOTS[state]}`} />
      <span className={words ? "" : "sr-only"}>{WORDS[state]}</span>
    </span>
  );
}

function FindRun({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  return (
    <Dialog title="Find a run" onClose={onClose}>
      <form
        className="flex gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          void navigate({ to: "/runs/$run", params: { run: text.trim() } });
        }}
      >
        <input className="field font-mono" aria-label="Id of the run" placeholder="run_…" required pattern="\s*run_\w+\s*" autoFocus value={text} onChange={(event) => setText(event.target.value)} />
        <Button kind="primary" type="submit">Open</Button>
      </form>
    </Dialog>
  );
}
