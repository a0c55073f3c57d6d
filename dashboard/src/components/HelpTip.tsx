import { useEffect, useId, useLayoutEffect, useRef, useState, type ReactNode } from "react";

const EDGE = 8;

/** A question mark that explains a number: on hover, on focus, on a tap; Escape closes it. */
export function HelpTip({ label, children }: { readonly label: string; readonly children: ReactNode }): ReactNode {
  const [open, setOpen] = useState(false);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const tip = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const [anchor, box] = [button.current, tip.current];
    if (!open || !anchor || !box) return;
    if (typeof box.showPopover === "function") box.showPopover();
    const at = anchor.getBoundingClientRect();
    const size = box.getBoundingClientRect();
    const left = Math.min(Math.max(at.left + at.width / 2 - size.width / 2, EDGE), innerWidth - size.width - EDGE);
    const below = at.bottom + 6 + size.height < innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? at.bottom + 6 : Math.max(at.top - size.height - 6, EDGE)}px`;
  }, [open]);

  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setOpen(false);
    };
    const away = (): void => setOpen(false);
    addEventListener("keydown", close);
    addEventListener("scroll", away, { capture: true, passive: true });
    return () => {
      removeEventListener("keydown", close);
      removeEventListener("scroll", away, { capture: true });
    };
  }, [open]);

  return (
    <>
      <button
        ref={button}
        type="button"
        className="help"
        aria-label={`What is ${label}?`}
        aria-describedby={open ? id : undefined}
        onMouseEnter={() => setOpen(true)}
        onMouseLeave={() => setOpen(false)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onClick={() => setOpen(true)}
      >
        ?
      </button>
      {open ? (
        <div ref={tip} id={id} role="tooltip" popover="manual" className="tip">
          {children}
        </div>
      ) : null}
    </>
  );
}
