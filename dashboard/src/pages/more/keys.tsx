/* Secret keys. People who are admins make them; with a key one cannot make another. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { chosenEnvironment, request } from "../../api/call.ts";
import { Page } from "../../frame/page.tsx";
import { useSession } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading, sayFailure } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

interface Key {
  id: string;
  label: string;
  lastFour: string;
  createdAt: string;
  lastUsedAt?: string;
  expiresAt?: string;
  revokedAt?: string;
  scopes?: string[];
  key?: string;
}
const PATH = "api/mainspring/v1/keys";

export function KeysPage() {
  const { session } = useSession();
  const role = session.environments.find((one) => one.slug === session.environment)?.role;
  if (role !== "admin") {
    return (
      <Page title="API keys">
        <Empty title={role ? "For admins" : session.dev ? "Nobody signs in on this machine" : "You came with a key"}>
          <p className="mb-3">{role ? "An admin of this environment sees and makes keys." : session.dev ? "The programs on it find its key by themselves. A command makes others:" : "Who has a key cannot see or make others. Sign in with a personal token, or use the server's machine:"}</p>
          <Command>{`mainspring keys create --environment ${chosenEnvironment()} --label billing`}</Command>
        </Empty>
      </Page>
    );
  }
  return <Keys />;
}

function Keys() {
  const queries = useQueryClient();
  const queryKey = ["keys", chosenEnvironment()];
  const found = useQuery({ queryKey, queryFn: () => request<{ data: Key[] }>("GET", PATH) });
  const [made, setMade] = useState<Key | null>(null);
  const [asked, setAsked] = useState<Key | "new" | null>(null);
  const [label, setLabel] = useState("");
  const act = async (path: string, body?: object) => {
    try {
      const key = await request<Key>("POST", path, body ?? {});
      if (key.key) setMade(key);
      setAsked(null);
    } catch (error) {
      sayFailure(error);
    }
    void queries.invalidateQueries({ queryKey });
  };
  const state = (key: Key) => (key.revokedAt ? "revoked" : key.expiresAt && Date.parse(key.expiresAt) < Date.now() ? "expired" : "works");
  return (
    <Page title="API keys" actions={<Button kind="primary" icon="plus" onClick={() => setAsked("new")}>New key</Button>}>
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.data && (
        <Grid
          label="API keys"
          rows={found.data.data}
          id={(key) => key.id}
          columns={[
            { name: "Key", cell: (key) => <><b className="font-medium">{key.label || "no label"}</b> <code className="font-mono text-xs text-dim">…{key.lastFour}</code></> },
            { name: "State", cell: (key) => <span className={state(key) === "works" ? "text-good" : "text-off"}>{state(key)}</span> },
            { name: "Scopes", wide: true, cell: (key) => <span className="text-dim">{key.scopes?.join(", ") ?? "everything"}</span> },
            { name: "Last used", wide: true, cell: (key) => (key.lastUsedAt ? <Ago at={Date.parse(key.lastUsedAt)} /> : <span className="text-dim">never</span>) },
            { name: "Created", wide: true, cell: (key) => <Ago at={Date.parse(key.createdAt)} /> },
            { name: "Actions", right: true, cell: (key) => state(key) === "works" && (
              <span className="inline-flex justify-end gap-1">
                <Button kind="ghost" onClick={() => void act(`${PATH}/${key.id}/rotate`)}>Rotate</Button>
                <Button kind="ghost" onClick={() => setAsked(key)}>Revoke</Button>
              </span>
            ) },
          ]}
        />
      )}
      {asked === "new" && (
        <Dialog title="New key" onClose={() => setAsked(null)}>
          <form onSubmit={(event) => { event.preventDefault(); void act(PATH, { label }); }}>
            <label className="block"><span className="font-medium">Label</span><input className="field mt-1" required value={label} onChange={(event) => setLabel(event.target.value)} /></label>
            <div className="mt-4 flex justify-end"><Button kind="primary" type="submit">Make it</Button></div>
          </form>
        </Dialog>
      )}
      {asked !== null && asked !== "new" && (
        <Dialog title={`Revoke …${asked.lastFour}`} onClose={() => setAsked(null)}>
          <p>Whoever uses it is refused within five seconds, and so is every public token that was made in its name.</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsked(null)}>Keep it</Button>
            <Button kind="danger" onClick={() => void act(`${PATH}/${asked.id}/revoke`)}>Revoke it</Button>
          </div>
        </Dialog>
      )}
      {made && (
        <Dialog title="Your new key" onClose={() => setMade(null)}>
          <p className="mb-3">It is shown only now.</p>
          <Command>{made.key ?? ""}</Command>
        </Dialog>
      )}
    </Page>
  );
}
