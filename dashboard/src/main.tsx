import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { startSession } from "./api/session";
import { initTheme } from "./lib/theme";
import { startLive } from "./store/live";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/components.css";
import "./styles/views.css";

initTheme();
void startSession().then(startLive);
const root = document.getElementById("root");
if (!root) throw new Error("the page has no place to draw in");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
