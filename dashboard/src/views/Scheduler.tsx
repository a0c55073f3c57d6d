import type { ReactNode } from "react";

export default function Scheduler(): ReactNode {
  return (
    <div className="view-head">
      <h1>Scheduler</h1>
    </div>
  );
}
