import type { ReactNode } from "react";

export default function Learning(): ReactNode {
  return (
    <div className="view-head">
      <h1>Learning</h1>
    </div>
  );
}
