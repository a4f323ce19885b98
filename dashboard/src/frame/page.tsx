/* A page: its title, what is beside the title, and the rest of the height for what it shows. */

import { type ReactNode, useEffect } from "react";

interface Props {
  title: string;
  lead?: ReactNode;
  tools?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, lead, tools, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Mainspring`;
  }, [title]);
  return (
    <>
      <header className="shrink-0 border-b border-line px-4 pt-3 pb-2.5 md:px-5">
        <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
          <h1 className="min-w-0 text-[17px] font-semibold">{lead ?? title}</h1>
          {actions && <div className="flex flex-wrap items-center gap-1.5">{actions}</div>}
        </div>
        {tools && <div className="mt-2">{tools}</div>}
      </header>
      {/* in the order of tabs, so that a page without links or buttons is scrolled by keys as well */}
      <div tabIndex={0} className="flex min-h-0 flex-1 flex-col overflow-auto -outline-offset-2">{children}</div>
    </>
  );
}
