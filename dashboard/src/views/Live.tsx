import type { ReactNode } from "react";

export default function Live(): ReactNode {
  return (
    <div className="view-head">
      <h1>Live</h1>
    </div>
  );
}
