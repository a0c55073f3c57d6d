import type { ReactNode } from "react";

export default function Operations(): ReactNode {
  return (
    <div className="view-head">
      <h1>Operations</h1>
    </div>
  );
}
