/** Predicted against true times: a point per prediction, its interval from the 10 % to the 90 % quantile, and the line on which all would be right. */
import { useCallback, useMemo, useState, type PointerEvent, type ReactNode } from "react";
import { CanvasChart, canvasFont, pointIn, type Draw } from "../../charts/CanvasChart";
import { decadeText, format } from "../../lib/format";
import { color } from "../../lib/theme";
import type { PredictedPart } from "../../store/messages";
import { logTicks } from "./charts";
import { deciderName } from "./statistics";

const LEFT = 56;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 38;
const HEIGHT = 400;
const VARIABLES = ["--p0", "--p1", "--p2", "--p3"];

export function Predictions({ title, parts }: { readonly title: string; readonly parts: readonly PredictedPart[] }): ReactNode {
  const [at, setAt] = useState<PredictedPart | null>(null);
  const devices = useMemo(() => [...new Set(parts.map((part) => part.device))].sort(), [parts]);
  const usable = useMemo(() => parts.filter((part) => part.predicted_s > 0 && part.true_s > 0), [parts]);
  const all = usable.flatMap((part) => [part.predicted_s, part.true_s]);
  const low = Math.min(...all) / 1.3;
  const high = Math.max(...all) * 1.3;
  const share = useCallback((value: number): number => Math.log(Math.min(Math.max(value, low), high) / low) / Math.log(high / low), [low, high]);

  const draw: Draw = useCallback(
    (context, width, tall) => {
      const [inner, deep] = [width - LEFT - RIGHT, tall - TOP - BOTTOM];
      const px = (value: number): number => LEFT + share(value) * inner;
      const py = (value: number): number => TOP + deep - share(value) * deep;
      context.font = canvasFont();
      context.strokeStyle = color("--grid");
      context.fillStyle = color("--muted");
      for (const tick of logTicks(low, high, Math.max(2, Math.floor(inner / 80)))) {
        context.beginPath();
        context.moveTo(px(tick), TOP);
        context.lineTo(px(tick), TOP + deep);
        context.stroke();
        context.textAlign = "center";
        context.textBaseline = "top";
        context.fillText(decadeText(tick), px(tick), TOP + deep + 5);
      }
      for (const tick of logTicks(low, high, Math.max(2, Math.floor(deep / 40)))) {
        context.beginPath();
        context.moveTo(LEFT, py(tick));
        context.lineTo(width - RIGHT, py(tick));
        context.stroke();
        context.textAlign = "right";
        context.textBaseline = "middle";
        context.fillText(decadeText(tick), LEFT - 6, py(tick));
      }
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillText("true time", LEFT + inner / 2, tall - 14);
      context.save();
      context.translate(8, TOP + deep / 2);
      context.rotate(-Math.PI / 2);
      context.textBaseline = "middle";
      context.fillText("predicted time", 0, 0);
      context.restore();
      context.strokeStyle = color("--line-strong");
      context.setLineDash([4, 4]);
      context.beginPath();
      context.moveTo(px(low), py(low));
      context.lineTo(px(high), py(high));
      context.stroke();
      context.setLineDash([]);
      for (const part of usable) {
        const own = color(VARIABLES[devices.indexOf(part.device) % VARIABLES.length] ?? "--p0");
        const [x, y] = [px(part.true_s), py(part.predicted_s)];
        context.strokeStyle = own;
        context.fillStyle = own;
        context.globalAlpha = at === null || at === part ? 0.9 : 0.25;
        if (part.low_s !== null && part.high_s !== null) {
          context.lineWidth = 1;
          context.beginPath();
          context.moveTo(x, py(part.low_s));
          context.lineTo(x, py(part.high_s));
          context.stroke();
        }
        context.beginPath();
        if (part.decided_by === "model") context.arc(x, y, at === part ? 5 : 3.2, 0, 2 * Math.PI);
        else context.rect(x - 3, y - 3, 6, 6);
        context.fill();
      }
      context.globalAlpha = 1;
      context.lineWidth = 1;
    },
    [usable, devices, low, high, share, at],
  );

  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    const pointer = pointIn(event);
    const [inner, deep] = [pointer.width - LEFT - RIGHT, pointer.height - TOP - BOTTOM];
    let [best, nearest]: [PredictedPart | null, number] = [null, 14 ** 2];
    for (const part of usable) {
      const [dx, dy] = [LEFT + share(part.true_s) * inner - pointer.x, TOP + deep - share(part.predicted_s) * deep - pointer.y];
      if (dx * dx + dy * dy < nearest) [best, nearest] = [part, dx * dx + dy * dy];
    }
    setAt(best);
  };

  return (
    <>
      <CanvasChart
        title={title}
        summary={`${usable.length} predictions, the newest of ${devices.join(", ")}.`}
        height={HEIGHT}
        draw={draw}
        keys={devices.map((device, place) => ({ label: device, variable: VARIABLES[place % VARIABLES.length] ?? "--p0" }))}
        onPointerMove={move}
        onPointerLeave={() => setAt(null)}
      />
      <div className="legend-line">
        {devices.map((device, place) => (
          <span key={device} className="legend-part">
            <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
              <circle cx="5" cy="5" r="4" style={{ fill: `var(${VARIABLES[place % VARIABLES.length]})` }} />
            </svg>
            <span className="muted">{device}</span>
          </span>
        ))}
        <span className="muted">
          {at
            ? `task ${at.task_id}${at.kind ? ` (${at.kind})` : ""}: ${format(at.predicted_s, "s")} predicted${at.low_s !== null && at.high_s !== null ? ` [${format(at.low_s, "s")}, ${format(at.high_s, "s")}]` : ""}, ${format(at.nominal_s, "s")} nominal, ${format(at.true_s, "s")} true; ${deciderName(at.decided_by)}`
            : "squares: decided by the rule"}
        </span>
      </div>
    </>
  );
}
