/** How often each scheduler was faster than each other one: a table, and a picture of it to save. */
import type { ReactNode } from "react";
import { canvasFont } from "../../charts/CanvasChart";
import { savePng, sheet } from "../../charts/png";
import { SaveButton } from "../../charts/SaveButton";
import { PolicyTag } from "../../components/PolicyTag";
import { format } from "../../lib/format";
import { color } from "../../lib/theme";
import { blend } from "./charts";
import type { Statistics } from "./statistics";

/** How strongly a share of 1 is tinted. */
const TINT = 0.34;
const ROW = 26;

/** Share of the compared tasks on which one was faster than the other; null for itself, and where nothing has been compared. */
function won(row: Statistics, column: Statistics): number | null {
  return row === column || !row.compared ? null : (row.wins_against[column.scheduler] ?? 0) / row.compared;
}

export function WinMatrix({ all }: { readonly all: readonly Statistics[] }): ReactNode {
  return (
    <div className="table-scroll" tabIndex={0} role="group" aria-label="Wins of each policy over each">
      <table className="table matrix">
        <caption className="visually-hidden">Share of tasks on which the policy of the row was faster than that of the column</caption>
        <thead>
          <tr>
            <th scope="col">faster than →</th>
            {all.map((found) => (
              <th key={found.scheduler} scope="col" className="num">
                <PolicyTag policy={found.scheduler} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {all.map((row) => (
            <tr key={row.scheduler}>
              <th scope="row">
                <PolicyTag policy={row.scheduler} />
              </th>
              {all.map((column) => {
                const share = won(row, column);
                return (
                  <td
                    key={column.scheduler}
                    className="num"
                    style={share === null ? undefined : { background: `color-mix(in srgb, var(--accent) ${Math.round(share * TINT * 100)}%, var(--panel))` }}
                  >
                    {row === column ? <span aria-label="itself">·</span> : format(share, "share")}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function WinMatrixSave({ all }: { readonly all: readonly Statistics[] }): ReactNode {
  if (!all.some((found) => found.compared)) return null;
  const title = "Share of tasks on which the policy of the row was faster than that of the column";
  return <SaveButton title={title} onSave={() => savePng(title, [picture(all)], [])} />;
}

function picture(all: readonly Statistics[]): HTMLCanvasElement {
  const measure = sheet(1, 1)[1];
  measure.font = canvasFont(12);
  const left = Math.max(...all.map((found) => measure.measureText(found.scheduler).width)) + 16;
  const wide = Math.max(64, left);
  const [canvas, context] = sheet(left + all.length * wide, (all.length + 1) * ROW);
  context.font = canvasFont(12);
  context.textBaseline = "middle";
  all.forEach((row, at) => {
    const middle = (at + 1.5) * ROW;
    context.fillStyle = color("--text");
    context.textAlign = "left";
    context.fillText(row.scheduler, 0, middle);
    context.textAlign = "right";
    context.fillText(row.scheduler, left + (at + 1) * wide - 8, ROW / 2);
    all.forEach((column, place) => {
      const share = won(row, column);
      if (share !== null) {
        context.fillStyle = blend(color("--panel"), color("--accent"), share * TINT);
        context.fillRect(left + place * wide + 1, (at + 1) * ROW + 1, wide - 2, ROW - 2);
      }
      context.fillStyle = color("--text");
      context.fillText(share === null ? "·" : format(share, "share"), left + (place + 1) * wide - 8, middle);
    });
  });
  return canvas;
}
