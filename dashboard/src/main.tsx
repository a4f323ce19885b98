/* Finds out who is there, then shows the pages or the way in. */

import "./app.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { chooseEnvironment, Refused, session, whenSignedOut } from "./api/call.ts";
import { live } from "./api/live.ts";
import type { Session } from "./api/types.ts";
import { SessionContext } from "./frame/session.ts";
import { SignIn } from "./frame/signin.tsx";
import { router } from "./router.tsx";
import { Failure, Notices } from "./ui/say.tsx";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof Refused && error.status >= 400 && error.status < 500),
    },
  },
});

/** The session; on a developer's machine it begins by itself. */
async function arrive(): Promise<Session> {
  const found = await session.show();
  return found.signedIn || !found.dev ? found : session.beginHere();
}

function App() {
  const [found, setFound] = useState<Session | null>(null);
  const [failure, setFailure] = useState<unknown>(null);

  const enter = useCallback((told: Session) => {
    if (told.environment) chooseEnvironment(told.environment);
    queries.clear();
    setFailure(null);
    setFound(told);
    if (told.signedIn) live.start();
    else live.stop();
  }, []);
  const begin = useCallback(() => void arrive().then(enter, setFailure), [enter]);

  useEffect(() => {
    begin();
    whenSignedOut(begin);
    // a browser does not say why a socket was refused: perhaps the session is over
    live.onRefused = () => void session.show().then((told) => !told.signedIn && begin(), () => {});
  }, [begin]);

  if (failure) return <Failure error={failure} retry={begin} />;
  if (found === null) return null;
  return (
    <SessionContext value={{ session: found, enter }}>
      {found.signedIn ? <RouterProvider key={found.environment} router={router} /> : <SignIn />}
      <Notices />
    </SessionContext>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>,
  );
}
