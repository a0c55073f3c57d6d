import type { ReactNode } from "react";
import { parts, type Number as Value, type Unit } from "../lib/format";
import { HelpTip } from "./HelpTip";

interface Props {
  readonly label: string;
  readonly help?: ReactNode;
  readonly value?: Value;
  readonly unit?: Unit;
  /** Instead of a number. */
  readonly text?: ReactNode;
  readonly note?: ReactNode;
  readonly tone?: "good" | "warn" | "bad";
}

/** One number with its name, unit and meaning. */
export function Stat({ label, help, value, unit = "plain", text, note, tone }: Props): ReactNode {
  const [number, suffix] = parts(value, unit);
  return (
    <div className="stat">
      <dt className="stat-label">
        {label}
        {help ? <HelpTip label={label}>{help}</HelpTip> : null}
      </dt>
      <dd className={`stat-value ${tone ? `tone-${tone}` : ""}`}>
        {text ?? (
          <>
            <span title={suffix || number !== "–" ? undefined : "not known yet"}>{number}</span>
            {suffix ? <span className="stat-unit">{suffix}</span> : null}
          </>
        )}
        {note ? <span className="stat-note">{note}</span> : null}
      </dd>
    </div>
  );
}

/** `even`: many numbers, in rows of six rather than one full row and a rest. */
export function Stats({ children, even = false }: { readonly children: ReactNode; readonly even?: boolean }): ReactNode {
  return <dl className={even ? "stats stats-even" : "stats"}>{children}</dl>;
}
