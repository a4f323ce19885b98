/* What waits for a person: runs that go on with somebody's answer. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import type { RunDetail, Token } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button } from "../../ui/controls.tsx";
import { JsonBlock } from "../../ui/json.tsx";
import { Command, Empty, Failure, Loading } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";
import { Decide } from "../run/decide.tsx";

/** So many show at once what their runs were given. */
const FIRST = 5;

export function ApprovalsPage() {
  const search = useSearch({ strict: false }) as { after?: string };
  const navigate = useNavigate();
  const found = useAsk<{ tokens: Token[]; next: string | null }>("tokens", { status: ["waiting"], waiters: true, after: search.after, limit: 100 }, { follow: true, every: 5_000 });
  const asked = found.data?.tokens.filter((token) => token.waiters?.length) ?? [];
  const idle = (found.data?.tokens.length ?? 0) - asked.length;
  return (
    <Page title="Approvals">
      {found.error && <Failure error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <Loading />}
      {found.isSuccess && asked.length === 0 && (
        <Empty title="Nobody has to decide anything">
          <p className="mb-3">A run that waits for a token is here until somebody answers it:</p>
          <Command>{"token = await wait.create_token(timeout=\"7d\")\nanswer = await wait.token(token)"}</Command>
        </Empty>
      )}
      {asked.length > 0 && (
        <ul aria-label="What waits for an answer" className="mx-auto grid w-full max-w-3xl gap-3 p-4 md:p-5">
          {asked.map((token, index) => <Question key={token.id} token={token} shown={index < FIRST} done={() => void found.refetch()} />)}
        </ul>
      )}
      {(search.after || found.data?.next) && (
        <div className="flex justify-center gap-2 p-3">
          {search.after && <Button onClick={() => void navigate({ to: "/approvals" })}>Latest</Button>}
          {found.data?.next && <Button onClick={() => void navigate({ to: "/approvals", search: { after: found.data.next ?? undefined } })}>Older</Button>}
        </div>
      )}
      {idle > 0 && (
        <p className="pb-5 text-center text-dim">
          {idle} more {idle === 1 ? "token is" : "tokens are"} open that no run waits for: <Link to="/tokens" search={{ status: "waiting" }} className="text-accent underline">all tokens</Link>
        </p>
      )}
    </Page>
  );
}

function Question({ token, shown, done }: { token: Token; shown: boolean; done: () => void }) {
  const may = useMay("developer");
  const [first, ...others] = token.waiters ?? [];
  const [open, setOpen] = useState(shown);
  if (!first) return null;
  return (
    <li className="rounded-xl border border-line bg-panel p-4">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h2 className="text-[15px] font-semibold [overflow-wrap:anywhere]">
          <Link to="/runs/$run" params={{ run: first.run_id }} className="hover:underline">{first.task}</Link>
          {others.length > 0 && <span className="font-normal text-dim"> and {others.length} more {others.length === 1 ? "run" : "runs"}</span>}
        </h2>
        <span className="text-dim">
          asked <Ago at={first.since} />
          {token.timeout_at != null && <>, ends <Ago at={token.timeout_at} /></>}
        </span>
      </div>
      <p className="mt-1 flex flex-wrap items-center gap-1.5 text-xs text-dim">
        <span className="font-mono [overflow-wrap:anywhere]">{first.key}</span>
        {token.tags?.map((tag) => <span key={tag} className="rounded bg-raised px-1.5 py-0.5">{tag}</span>)}
      </p>
      <details className="mt-3" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className="text-dim">What the run was given</summary>
        {open && <Given run={first.run_id} />}
      </details>
      <div className="mt-3">
        <Decide token={token.id} of={first.task} disabled={!may} done={done} />
      </div>
    </li>
  );
}

/** Payload and metadata of the run, which say what is to be decided. */
function Given({ run }: { run: string }) {
  const found = useAsk<RunDetail>("inspect", { run_id: run });
  if (found.error) return <Failure error={found.error} />;
  if (!found.data) return <Loading />;
  const { payload, metadata } = found.data.run;
  if (payload === null && metadata === null) return <p className="py-2 text-dim">Nothing that could be shown here.</p>;
  return (
    <div className="mt-2 grid gap-2">
      {payload !== null && <Part name="Payload" of={run} text={payload} />}
      {metadata !== null && <Part name="Metadata" of={run} text={metadata} />}
    </div>
  );
}

function Part({ name, of, text }: { name: string; of: string; text: string }) {
  return (
    <div>
      <h3 className="mb-0.5 text-xs text-dim">{name}</h3>
      <JsonBlock text={text} label={`${name} of ${of}`} />
    </div>
  );
}
