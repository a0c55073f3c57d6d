import type { ReactNode } from "react";

export default function Cluster(): ReactNode {
  return (
    <div className="view-head">
      <h1>Cluster</h1>
    </div>
  );
}
