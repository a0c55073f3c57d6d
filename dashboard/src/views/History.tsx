import type { ReactNode } from "react";

export default function History(): ReactNode {
  return (
    <div className="view-head">
      <h1>History</h1>
    </div>
  );
}
