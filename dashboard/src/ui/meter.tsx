/* How much of something is taken: a number and a bar. */

interface Props {
  value: number;
  most: number | null;
  label: string;
  /** The colour of a full one; it is `good` where full means done. */
  full?: "wait" | "good";
}

export function Meter({ value, most, label, full = "wait" }: Props) {
  const share = most ? Math.min(1, value / most) : 0;
  return (
    <span className="flex items-center gap-2" title={label}>
      <span className="num whitespace-nowrap">
        {value}
        {most !== null && <span className="text-dim"> / {most}</span>}
      </span>
      {most !== null && (
        <span className="h-1.5 w-24 overflow-hidden rounded-full bg-raised max-md:hidden" aria-hidden="true">
          <span className={`block h-full rounded-full ${share >= 1 ? (full === "good" ? "bg-good" : "bg-wait") : "bg-busy"}`} style={{ width: `${share * 100}%` }} />
        </span>
      )}
    </span>
  );
}
