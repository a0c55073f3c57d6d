import type { ReactNode } from "react";

/** The small button at every chart that saves it as a picture. */
export function SaveButton({ title, onSave }: { readonly title: string; readonly onSave: () => void }): ReactNode {
  return (
    <button type="button" className="icon-button" aria-label={`Save “${title}” as PNG`} title="Save as PNG" onClick={onSave}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d="M8 2v7.5M4.8 6.8 8 10l3.2-3.2M3 12.5h10" fill="none" stroke="currentColor" strokeWidth="1.5" />
      </svg>
    </button>
  );
}
