import type { ReactNode } from "react";
import { policyColor, policyStyle, type Marker } from "../lib/palette";

const SHAPES: Readonly<Record<Marker, string>> = {
  circle: "M5 1.2a3.8 3.8 0 1 0 0 7.6a3.8 3.8 0 1 0 0-7.6z",
  square: "M1.6 1.6h6.8v6.8h-6.8z",
  diamond: "M5 .4 9.6 5 5 9.6.4 5z",
  up: "M5 .8 9.5 9H.5z",
  down: "M5 9.2.5 1h9z",
  cross: "M3.6.6h2.8v3h3v2.8h-3v3H3.6v-3h-3V3.6h3z",
};

/** The colour and the shape of a policy. */
export function Swatch({ policy }: { readonly policy: string }): ReactNode {
  return (
    <svg className="swatch" viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
      <path d={SHAPES[policyStyle(policy).marker]} style={{ fill: policyColor(policy) }} />
    </svg>
  );
}

export function PolicyTag({ policy, title }: { readonly policy: string; readonly title?: string }): ReactNode {
  return (
    <span className="policy" title={title ?? policy}>
      <Swatch policy={policy} />
      <span className="policy-name mono">{policy}</span>
    </span>
  );
}
