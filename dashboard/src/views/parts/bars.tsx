/** Shares as bars, with their numbers as text, and a picture of them to save. */
import type { ReactNode } from "react";
import { canvasFont } from "../../charts/CanvasChart";
import { savePng, sheet } from "../../charts/png";
import { SaveButton } from "../../charts/SaveButton";
import { format, whole } from "../../lib/format";
import { color } from "../../lib/theme";

export interface Entry {
  readonly label: string;
  readonly share: number | null;
  /** What the share is of, if that says something. */
  readonly count?: number;
  /** The same as a quantity, where it is not a count. */
  readonly amount?: string;
  /** Where the share should be. */
  readonly ideal?: number;
}

interface Props {
  readonly title: string;
  readonly entries: readonly Entry[];
  /** The share that fills a bar; 1 unless told. */
  readonly full?: number;
  readonly mono?: boolean;
}

const ROW = 22;
const WIDTH = 560;

function picture(entries: readonly Entry[], full: number): HTMLCanvasElement {
  const [canvas, context] = sheet(WIDTH, entries.length * ROW);
  context.font = canvasFont(12);
  context.textBaseline = "middle";
  const left = Math.max(...entries.map(({ label }) => context.measureText(label).width)) + 12;
  const right = WIDTH - 110;
  entries.forEach((entry, place) => {
    const middle = place * ROW + ROW / 2;
    context.fillStyle = color("--text");
    context.textAlign = "left";
    context.fillText(entry.label, 0, middle);
    context.fillText(text(entry), right + 12, middle);
    context.fillStyle = color("--sunken");
    context.fillRect(left, middle - 5, right - left, 10);
    context.fillStyle = color("--accent");
    context.fillRect(left, middle - 5, (right - left) * Math.min((entry.share ?? 0) / full, 1), 10);
    if (entry.ideal !== undefined) {
      context.fillStyle = color("--text");
      context.fillRect(left + (right - left) * (entry.ideal / full) - 1, middle - 8, 2, 16);
    }
  });
  return canvas;
}

/** What a share amounts to, in brackets; nothing where that says nothing. */
function amount(entry: Entry): string {
  const found = entry.amount ?? (entry.count === undefined ? "" : whole(entry.count));
  return found && `(${found})`;
}

function text(entry: Entry): string {
  return `${format(entry.share, "share")} ${amount(entry)}`.trim();
}

export function Bars({ title, entries, full = 1, mono = false }: Props): ReactNode {
  return (
    <figure className="chart">
      <div className="chart-tools">
        <SaveButton title={title} onSave={() => savePng(title, [picture(entries, full)], [])} />
      </div>
      <div className="bars">
        {entries.map((entry) => (
          <div key={entry.label} style={{ display: "contents" }}>
            <span className={`share-label ${mono ? "mono" : ""}`} title={entry.label}>
              {entry.label}
            </span>
            <span className="share-track">
              <span className="share-fill" style={{ width: `${Math.min((entry.share ?? 0) / full, 1) * 100}%` }} />
              {entry.ideal === undefined ? null : <span className="share-ideal" style={{ left: `${(entry.ideal / full) * 100}%` }} title={`ideal ${format(entry.ideal, "share")}`} />}
            </span>
            <span className="share-value">
              {format(entry.share, "share")} <span className="muted">{amount(entry)}</span>
            </span>
          </div>
        ))}
      </div>
    </figure>
  );
}
