import { useId, type ReactNode } from "react";
import { HelpTip } from "./HelpTip";

interface Props {
  readonly title: string;
  readonly help?: ReactNode;
  readonly actions?: ReactNode;
  readonly className?: string;
  /** Data that may be older than what there is. */
  readonly stale?: boolean;
  /** No space around what is inside, for tables. */
  readonly flush?: boolean;
  readonly children: ReactNode;
}

export function Panel({ title, help, actions, className = "", stale = false, flush = false, children }: Props): ReactNode {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id} data-stale={stale || undefined}>
      <header className="panel-head">
        <h2 id={id} className="panel-title">
          {title}
        </h2>
        {help ? <HelpTip label={title}>{help}</HelpTip> : null}
        <span className="panel-space" />
        {actions}
      </header>
      <div className={flush ? "panel-body panel-flush" : "panel-body"}>{children}</div>
    </section>
  );
}
