/* The mark: a spring that unwinds. */

export function Logo() {
  return (
    <span className="flex items-center gap-2 text-[15px] font-semibold tracking-tight">
      <svg viewBox="0 0 32 32" className="size-6" aria-hidden="true">
        <rect width="32" height="32" rx="8" className="fill-accent" />
        <path
          d="M16 16a2 2 0 1 1 2 2 4.5 4.5 0 1 1 3-7.8 7.5 7.5 0 1 1-10.6 10.6A10 10 0 0 1 8 14"
          fill="none"
          className="stroke-on-accent"
          strokeWidth="2.4"
          strokeLinecap="round"
        />
      </svg>
      Mainspring
    </span>
  );
}
