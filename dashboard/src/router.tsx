/* Which page an address leads to. What a page does not need at once comes with it. */

import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, Navigate, type RouteComponent } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { at } from "./api/call.ts";
import { useLiveState } from "./api/live.ts";
import { Layout } from "./frame/layout.tsx";
import { Page } from "./frame/page.tsx";
import { RunsPage } from "./pages/runs/page.tsx";
import { Failure, Loading } from "./ui/say.tsx";

type Search = Record<string, string | undefined>;

const root = createRootRoute({
  component: Layout,
  notFoundComponent: () => (
    <Page title="There is no such page">
      <div className="px-4 py-5 text-dim md:px-5">
        <p className="[overflow-wrap:anywhere]">Nothing is at <code className="font-mono text-[13px] text-ink">{location.pathname}</code>. It may have been misspelt, or come from an older release.</p>
        <p className="mt-3 flex gap-4">
          <Link to="/overview" className="text-accent hover:underline">To the overview</Link>
          <Link to="/runs" className="text-accent hover:underline">To the runs</Link>
        </p>
      </div>
    </Page>
  ),
});

const route = <Path extends string>(path: Path, component: RouteComponent) =>
  createRoute({ getParentRoute: () => root, path, component, validateSearch: (search: Search) => search });

/** Nobody answers. A file that is gone because of a newer build is another failure: there the router
 * loads everything anew, which without a server would leave an empty window. */
class Away extends Error {}

const answers = () => fetch(at("healthz"));
const here = <Module,>(loading: Promise<Module>): Promise<Module> =>
  loading.catch(async (error) => {
    await answers().catch(() => {
      throw new Away("This page did not come, because the server does not answer. It is shown as soon as it does.");
    });
    throw error;
  });

function Broken({ error }: { error: unknown }) {
  const state = useLiveState();
  const away = useRef(false);
  useEffect(() => {
    if (state !== "live") away.current = true;
    else if (away.current && error instanceof Away) location.reload();
  }, [state, error]);
  return (
    <Page title="Not loaded">
      <Failure error={error} retry={() => void answers().then(() => location.reload(), () => {})} />
    </Page>
  );
}

const routes = [
  route("/", () => <Navigate to="/overview" replace />),
  route("/overview", lazyRouteComponent(() => here(import("./pages/more/overview.tsx")), "OverviewPage")),
  route("/runs", RunsPage),
  route("/runs/$run", lazyRouteComponent(() => here(import("./pages/run/page.tsx")), "RunPage")),
  route("/tasks", lazyRouteComponent(() => here(import("./pages/more/tasks.tsx")), "TasksPage")),
  route("/test/$task", lazyRouteComponent(() => here(import("./pages/more/test.tsx")), "TestPage")),
  route("/queues", lazyRouteComponent(() => here(import("./pages/more/queues.tsx")), "QueuesPage")),
  route("/schedules", lazyRouteComponent(() => here(import("./pages/more/schedules.tsx")), "SchedulesPage")),
  route("/approvals", lazyRouteComponent(() => here(import("./pages/more/approvals.tsx")), "ApprovalsPage")),
  route("/tokens", lazyRouteComponent(() => here(import("./pages/more/tokens.tsx")), "TokensPage")),
  route("/batches", lazyRouteComponent(() => here(import("./pages/more/batches.tsx")), "BatchesPage")),
  route("/errors", lazyRouteComponent(() => here(import("./pages/more/errors.tsx")), "ErrorsPage")),
  route("/errors/$error", lazyRouteComponent(() => here(import("./pages/more/fault.tsx")), "FaultPage")),
  route("/logs", lazyRouteComponent(() => here(import("./pages/more/logs.tsx")), "LogsPage")),
  // not /metrics, which is what Prometheus reads
  route("/charts", lazyRouteComponent(() => here(import("./pages/more/metrics.tsx")), "MetricsPage")),
  route("/deployments", lazyRouteComponent(() => here(import("./pages/more/deployments.tsx")), "DeploymentsPage")),
  route("/workers", lazyRouteComponent(() => here(import("./pages/more/workers.tsx")), "WorkersPage")),
  route("/audit", lazyRouteComponent(() => here(import("./pages/more/audit.tsx")), "AuditPage")),
  route("/variables", lazyRouteComponent(() => here(import("./pages/more/variables.tsx")), "VariablesPage")),
  route("/keys", lazyRouteComponent(() => here(import("./pages/more/keys.tsx")), "KeysPage")),
  route("/settings", lazyRouteComponent(() => here(import("./pages/more/settings.tsx")), "SettingsPage")),
];

/** Every value in an address is plain text. */
const read = (text: string): Search => Object.fromEntries(new URLSearchParams(text));
const write = (search: Search): string => {
  const kept = Object.entries(search).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const text = new URLSearchParams(kept).toString();
  return text && `?${text.replaceAll("%2C", ",").replaceAll("%3A", ":")}`;
};

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: new URL(document.baseURI).pathname,
  parseSearch: read,
  stringifySearch: write,
  defaultPendingComponent: Loading,
  defaultErrorComponent: ({ error }) => <Broken error={error} />,
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
});
