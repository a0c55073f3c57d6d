import { useEffect, useId, useRef, type ReactNode } from "react";
import { Button } from "./controls";

interface Props {
  readonly title: string;
  readonly open: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly footer?: ReactNode;
}

/** A dialog of the browser's own: it holds the focus, and Escape closes it. */
export function Dialog({ title, open, onClose, children, footer }: Props): ReactNode {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    if (open && dialog && !dialog.open) dialog.showModal();
    if (!open && dialog?.open) dialog.close();
  }, [open]);
  return (
    <dialog ref={element} className="dialog" aria-labelledby={id} onClose={onClose}>
      {open ? (
        <>
          <header className="dialog-head">
            <h2 id={id} className="panel-title">
              {title}
            </h2>
            <span className="panel-space" />
            <Button kind="quiet" onClick={onClose} aria-label="Close">
              ✕
            </Button>
          </header>
          <div className="dialog-body">{children}</div>
          {footer ? <footer className="dialog-foot">{footer}</footer> : null}
        </>
      ) : null}
    </dialog>
  );
}
