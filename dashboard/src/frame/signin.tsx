/* The ways in: a name and password, a token or key, and on the first day the first admin. */

import { type FormEvent, useState } from "react";
import { session } from "../api/call.ts";
import type { Session } from "../api/types.ts";
import { Button } from "../ui/controls.tsx";
import { Logo } from "./logo.tsx";
import { useSession } from "./session.ts";

type Way = "password" | "token" | "first";
const TITLES: Record<Way, string> = { password: "Sign in", token: "Sign in", first: "The first admin" };
const OTHERS: Record<Way, string> = { password: "With a password", token: "With a token or key", first: "Make the first admin" };

export function SignIn() {
  const { session: found, enter } = useSession();
  const [way, setWay] = useState<Way>("token");
  const [held, setHeld] = useState({ name: "", password: "", token: "" });
  const [told, setTold] = useState("");
  const [busy, setBusy] = useState(false);
  const ask = (): Promise<Session> => {
    const [token, name] = [held.token.trim(), held.name.trim()];
    if (way === "token") return session.begin(token);
    return way === "first" ? session.beginFirst(token, name, held.password) : session.beginWith(name, held.password);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    ask()
      .then(enter, (error: Error) => setTold(error.message))
      .finally(() => setBusy(false));
  };
  const set = (field: keyof typeof held) => (value: string) => setHeld((old) => ({ ...old, [field]: value }));
  const others = (["password", "token", ...(found.first ? ["first"] : [])] as Way[]).filter((one) => one !== way);
  return (
    <main className="grid min-h-full place-items-center p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-xl border border-line bg-panel p-6 shadow-sm">
        <Logo />
        <h1 className="mt-5 text-lg font-semibold">{TITLES[way]}</h1>
        {way === "first" && <p className="mt-1 text-dim">Nobody is known to this server yet. Its first key, which it printed when it started, makes you the admin of that key's environment.</p>}
        {way !== "password" && (
          <Field id="token" label={way === "first" ? "Secret key" : "Personal token or secret key"} secret value={held.token} change={set("token")} wrong={told !== ""} complete="off" placeholder={way === "first" ? "tr_prod_sk_…" : "tr_pat_… or tr_prod_sk_…"} />
        )}
        {way !== "token" && (
          <>
            <Field id="name" label="Name" value={held.name} change={set("name")} wrong={told !== ""} complete="username" placeholder="ann@example.org" />
            <Field id="password" label="Password" secret value={held.password} change={set("password")} wrong={told !== ""} complete={way === "first" ? "new-password" : "current-password"} placeholder="" />
          </>
        )}
        {way === "token" && (
          <p className="mt-2 text-dim">
            An admin makes a token with <code className="font-mono text-[13px]">mainspring people token you@example.org</code>. It stays in a cookie that scripts cannot read.
          </p>
        )}
        {told && (
          <p role="alert" className="mt-3 rounded-md bg-bad-soft px-3 py-2 text-bad">
            {told}
          </p>
        )}
        <Button kind="primary" type="submit" disabled={busy} className="mt-5 w-full">
          {way === "first" ? "Make it and sign in" : "Sign in"}
        </Button>
        <div className="mt-2 flex flex-wrap justify-center">
          {others.map((one) => <Button key={one} kind="ghost" onClick={() => { setTold(""); setWay(one); }}>{OTHERS[one]}</Button>)}
        </div>
      </form>
    </main>
  );
}

interface FieldProps {
  id: string;
  label: string;
  value: string;
  change: (value: string) => void;
  wrong: boolean;
  complete: string;
  placeholder: string;
  secret?: boolean;
}

function Field({ id, label, value, change, wrong, complete, placeholder, secret = false }: FieldProps) {
  return (
    <label htmlFor={id} className="mt-4 block font-medium">
      {label}
      <input id={id} type={secret ? "password" : "text"} required autoComplete={complete} placeholder={placeholder} aria-invalid={wrong} value={value} onChange={(event) => change(event.target.value)} className={`field mt-1 font-normal ${secret ? "font-mono" : ""}`} />
    </label>
  );
}
