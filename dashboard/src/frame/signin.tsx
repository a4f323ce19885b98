/* The way in. A second way, with a password, will be a second form here. */

import { type FormEvent, useState } from "react";
import { session } from "../api/call.ts";
import { Button } from "../ui/controls.tsx";
import { useSession } from "./session.ts";
import { Logo } from "./logo.tsx";

export function SignIn() {
  const { enter } = useSession();
  const [token, setToken] = useState("");
  const [told, setTold] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    session
      .begin(token.trim())
      .then(enter, (error: Error) => setTold(error.message))
      .finally(() => setBusy(false));
  };

  return (
    <main className="grid min-h-full place-items-center p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-xl border border-line bg-panel p-6 shadow-sm">
        <Logo />
        <h1 className="mt-5 text-lg font-semibold">Sign in</h1>
        <label htmlFor="token" className="mt-4 block font-medium">
          Personal token or secret key
        </label>
        <input
          id="token"
          type="password"
          required
          autoFocus
          autoComplete="current-password"
          placeholder="tr_pat_… or tr_prod_sk_…"
          aria-describedby="token-help"
          aria-invalid={told !== ""}
          value={token}
          onChange={(event) => setToken(event.target.value)}
          className="field mt-1 font-mono"
        />
        <p id="token-help" className="mt-2 text-dim">
          An admin makes a token with <code className="font-mono text-[13px]">mainspring people token you@example.org</code>. It stays in a cookie that scripts cannot read.
        </p>
        {told && (
          <p role="alert" className="mt-3 rounded-md bg-bad-soft px-3 py-2 text-bad">
            {told}
          </p>
        )}
        <Button kind="primary" type="submit" disabled={busy} className="mt-5 w-full">
          Sign in
        </Button>
      </form>
    </main>
  );
}
