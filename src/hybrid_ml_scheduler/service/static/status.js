const number = (value, digits = 4) =>
  typeof value === "number" ? value.toLocaleString("en", Number.isInteger(value) ? {} : { maximumSignificantDigits: digits }) : "–";
const percent = (value) => (typeof value === "number" ? number(100 * value, 3) : "–");
const cell = (text, kind) => {
  const found = document.createElement("td");
  found.textContent = text;
  if (kind) found.className = kind;
  return found;
};
function show(status) {
  const facts = {
    state: status.state, run: status.run_id ?? "–", workload: status.request?.workload ?? "–", "tasks processed": number(status.tasks_processed),
    "simulated time [s]": number(status.time_s, 6), speed: typeof status.speed === "number" ? number(status.speed) + " ×" : status.speed ?? "–",
    "rows behind the journal": number(status.storage.lag_rows), database: status.storage.state, learning: status.retraining.state,
  };
  document.getElementById("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
    const group = document.createElement("div"), term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name; text.textContent = value; group.append(term, text);
    return group;
  }));
  document.getElementById("lanes").replaceChildren(...status.lanes.map((lane) => {
    const row = document.createElement("tr");
    row.append(cell(lane.policy), cell(lane.state, "text"), cell(number(lane.finished)), cell(number(lane.refused)), cell(number(lane.queue_length)),
      cell(number(lane.running)), cell(number(lane.mean_response_s)), cell(number(lane.p95_response_s)), cell(percent(lane.utilization_cpu)),
      cell(percent(lane.utilization_gpu)), cell(lane.model ?? "–", "text"));
    return row;
  }));
  document.getElementById("message").textContent = status.message ?? "";
}
async function ask() {
  try {
    const answer = await fetch("api/status");
    if (!answer.ok) throw new Error("status " + answer.status);
    show(await answer.json());
  } catch (error) {
    document.getElementById("message").textContent = "The service does not answer (" + error.message + "); trying again.";
  }
  setTimeout(ask, 1000);
}
ask();
