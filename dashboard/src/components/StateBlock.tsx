import { useEffect, useRef, type ReactNode } from "react";
import { AwayError, reason } from "../api/http";
import { useLive } from "../store/live";
import { Button } from "./controls";

interface Props {
  readonly kind: "empty" | "loading" | "error";
  readonly title: string;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** What stands where data will be: nothing there, on its way, or why not. */
export function StateBlock({ kind, title, children, action }: Props): ReactNode {
  return (
    <div className={`state state-${kind}`} role={kind === "error" ? "alert" : "status"}>
      {kind === "loading" ? <span className="spinner" aria-hidden="true" /> : null}
      <p className="state-title">{title}</p>
      {children ? <div className="state-text">{children}</div> : null}
      {action}
    </div>
  );
}

/** The error of a request, with a way to try again. What the service did not answer is asked for again when the connection comes back. */
export function ErrorBlock({ error, retry }: { readonly error: unknown; readonly retry?: () => void }): ReactNode {
  const open = useLive((found) => found.link === "open");
  const wasOpen = useRef(open);
  useEffect(() => {
    if (open && !wasOpen.current && error instanceof AwayError) retry?.();
    wasOpen.current = open;
  }, [open, error, retry]);
  return (
    <StateBlock kind="error" title={error instanceof AwayError ? "The service does not answer" : "This could not be read"} action={retry ? <Button onClick={retry}>Try again</Button> : null}>
      {error instanceof AwayError ? "It is tried again as soon as the connection is back." : reason(error)}
    </StateBlock>
  );
}
