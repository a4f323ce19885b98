/* Filters and columns with a name: some that everybody needs, and those that were saved in this browser. */

import { useState } from "react";
import { chosenEnvironment } from "../../api/call.ts";
import { Button, Menu, MenuItem } from "../../ui/controls.tsx";
import { useKept } from "../../ui/kept.ts";
import { FIELDS, isFiltered, type Search } from "./filter.ts";

interface View {
  name: string;
  search: Search;
}

const READY: View[] = [
  { name: "Going on", search: { status: "executing,dequeued" } },
  { name: "Not started", search: { status: "queued,delayed,pending_version" } },
  { name: "Failed within a day", search: { status: "failed,crashed,system_failure,timed_out", period: "1d" } },
];
const same = (a: Search, b: Search) => [...FIELDS, "columns"].every((field) => (a[field] ?? "") === (b[field] ?? ""));

export function Views({ search, change }: { search: Search; change: (next: Search) => void }) {
  const [views, keep] = useKept<View>(`views-${chosenEnvironment()}`);
  const [name, setName] = useState("");
  const shown = [...READY, ...views].find((view) => same(view.search, search));
  const save = () => {
    keep([...views.filter((view) => view.name !== name.trim()), { name: name.trim(), search }]);
    setName("");
  };
  return (
    <Menu label={shown?.name ?? "Views"} icon="down">
      {(close) => (
        <>
          {[...READY, ...views].map((view) => (
            <div key={view.name} className="flex items-center">
              <MenuItem checked={view === shown} onClick={() => { close(); change(view.search); }}>{view.name}</MenuItem>
              {views.includes(view) && <Button kind="ghost" icon="close" label={`Delete the view ${view.name}`} className="size-7!" onClick={() => keep(views.filter((one) => one !== view))} />}
            </div>
          ))}
          {(isFiltered(search) || search.columns) && !shown && (
            <form className="flex gap-1.5 border-t border-line p-1 pt-2" onSubmit={(event) => { event.preventDefault(); save(); close(); }}>
              <input className="field" aria-label="Name of the view" placeholder="Name" required maxLength={60} value={name} onChange={(event) => setName(event.target.value)} />
              <Button type="submit">Save</Button>
            </form>
          )}
        </>
      )}
    </Menu>
  );
}
