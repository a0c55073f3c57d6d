import { useEffect, useId, useState, type ReactNode } from "react";
import { HelpTip } from "../../components/HelpTip";
import { speedText } from "../../lib/format";
import { HELP } from "../../lib/metrics";
import { placeOf, PLACES, speedAt } from "./speed";

const SETTLED_MS = 250;

interface Props {
  readonly speed: number | null;
  readonly disabled?: boolean;
  /** Called once the reader has settled on a speed. */
  readonly onSpeed: (speed: number | null) => void;
}

export function SpeedSlider({ speed, disabled = false, onSpeed }: Props): ReactNode {
  const id = useId();
  const [moving, setMoving] = useState<number | null>(null);
  useEffect(() => {
    if (moving === null) return;
    const timer = setTimeout(() => {
      onSpeed(speedAt(moving));
      setMoving(null);
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [moving, onSpeed]);
  const shown = moving === null ? speed : speedAt(moving);
  return (
    <span className="speed">
      <label htmlFor={id} className="field-label">
        Speed
      </label>
      <HelpTip label="speed">{HELP.speed}</HelpTip>
      <input
        id={id}
        type="range"
        min={0}
        max={PLACES}
        step={1}
        disabled={disabled}
        value={moving ?? placeOf(speed)}
        aria-valuetext={shown === null ? "as fast as possible" : `${shown} simulated seconds per second`}
        onChange={(event) => setMoving(Number(event.target.value))}
      />
      <output htmlFor={id} className="speed-value">
        {speedText(shown)}
      </output>
    </span>
  );
}
