/* Tokens that runs wait for: who waits, for how long, and the answer that lets them go on. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { at, call } from "../../api/call.ts";
import type { Token } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, CopyButton } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading, say } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";
import { CompleteToken } from "../run/decide.tsx";

const STATES = ["waiting", "completed", "timed_out"];
const WORDS: Record<string, string> = { waiting: "Waiting", completed: "Completed", timed_out: "Timed out" };
const COLORS: Record<string, string> = { waiting: "text-wait", completed: "text-good", timed_out: "text-bad" };

export function TokensPage() {
  const search = useSearch({ strict: false }) as { status?: string };
  const navigate = useNavigate();
  const status = STATES.includes(search.status ?? "") ? [search.status] : [];
  const found = useAsk<{ tokens: Token[]; next: string | null }>("tokens", { status, limit: 100 }, { follow: true, every: 5_000 });
  const act = useAct();
  const may = useMay("developer");
  const [asked, setAsked] = useState<string | null>(null);
  const tokens = found.data?.tokens ?? [];
  const make = () => void act(async () => say(`Made ${(await call<Token>("create_token", {})).id}.`));
  return (
    <Page
      title="Tokens"
      actions={<Button icon="plus" disabled={!may} onClick={make}>New token</Button>}
      tools={
        <div role="group" aria-label="Status" className="flex flex-wrap gap-1">
          {[undefined, ...STATES].map((one) => (
            <Button key={one ?? "all"} kind={search.status === one ? "plain" : "ghost"} aria-pressed={search.status === one} onClick={() => void navigate({ to: "/tokens", search: { status: one } })}>
              {one ? WORDS[one] : "All"}
            </Button>
          ))}
        </div>
      }
    >
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && tokens.length === 0 && (
        <Empty title="No tokens">
          <p className="mb-3">A run that waits for a person or another service waits for a token:</p>
          <Command>{"token = await wait.create_token(timeout=\"7d\")"}</Command>
        </Empty>
      )}
      {tokens.length > 0 && (
        <Grid
          label="Tokens"
          rows={tokens}
          id={(token) => token.id}
          columns={[
            { name: "Token", cell: (token) => <code className="font-mono text-[12.5px] [overflow-wrap:anywhere]">{token.id}</code> },
            { name: "Status", cell: (token) => <span className={COLORS[token.status]}>{WORDS[token.status]}</span> },
            { name: "Tags", wide: true, cell: (token) => <span className="text-dim">{token.tags?.join(", ")}</span> },
            { name: "Created", wide: true, cell: (token) => <Ago at={token.created_at} /> },
            { name: "Ends", wide: true, cell: (token) => (token.completed_at ? <Ago at={token.completed_at} /> : token.timeout_at ? <Ago at={token.timeout_at} /> : <span className="text-dim">never</span>) },
            {
              name: "Actions",
              right: true,
              cell: (token) =>
                token.status === "waiting" && (
                  <span className="inline-flex items-center justify-end gap-1">
                    {token.callback && <CopyButton text={at(token.callback.replace(/^\//, ""))} label="Copy the address that completes it" />}
                    <Button disabled={!may} onClick={() => setAsked(token.id)}>Complete</Button>
                  </span>
                ),
            },
          ]}
        />
      )}
      {asked && <CompleteToken id={asked} onClose={() => { setAsked(null); void found.refetch(); }} />}
    </Page>
  );
}
