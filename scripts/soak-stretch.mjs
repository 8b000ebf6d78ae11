// Evidence of a long soak, made of that of a short one for scripts/report-browser-test: soak-stretch.mjs DIR OUT SECONDS [BROKEN]
// Snapshots and faults are repeated, one time after the other, until SECONDS; BROKEN invariants are broken near the end.
import fs from "node:fs";
import path from "node:path";

const [directory, out, seconds, broken = "0"] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(directory, name), "utf8");
const lines = (name) => read(name).split("\n").filter(Boolean).map((line) => JSON.parse(line));
const write = (name, all) => fs.writeFileSync(path.join(out, name), all.map((one) => `${JSON.stringify(one)}\n`).join(""));
const [plan, summary] = [JSON.parse(read("plan.json")), JSON.parse(read("summary.json"))];
const [snapshots, faults, events] = [lines("snapshots.jsonl"), lines("faults.jsonl"), lines("events.jsonl")];
const { t_ms: period, reached, t_ns, cpu_percent } = snapshots.at(-1);
const times = Math.ceil((Number(seconds) * 1000) / period);
const repeat = (all, change) => Array.from({ length: times }, (_, n) => all.map((one) => change(one, n))).flat();

fs.mkdirSync(out, { recursive: true });
write("snapshots.jsonl", repeat(snapshots, (one, n) => ({ ...one, t_ms: one.t_ms + n * period, t_ns: one.t_ns + n * period * 1e6,
  reached: one.reached + n * reached, cpu_percent: (one.cpu_percent * one.t_ms + cpu_percent * n * period) / (one.t_ms + n * period), open: one.open + (n * 7) % 5, rss_mib: one.rss_mib + Math.sin(n / 40) })));
write("faults.jsonl", repeat(faults, (one, n) => ({ ...one, t_ms: one.t_ms + n * period, t_ns: one.t_ns + n * period * 1e6, fault: one.fault + n * faults.length })));
const later = (times - 1) * period * 1e6;
write("events.jsonl", events.map((one) => ({ ...one, t_ns: one.t_ns + later })));
plan.settings.duration_ms = times * period;
plan.faults = repeat(plan.faults, (one, n) => ({ ...one, at_ms: one.at_ms + n * period }));
summary.ran_ms = times * period;
for (const name of ["sessions", "reached", "cross_lpar", "excused", "logons"]) summary.counts[name] *= times;
for (const name of Object.keys(summary.faults)) summary.faults[name] *= times;
for (const name of Object.keys(summary.handoffs.counts)) summary.handoffs.counts[name] *= times;
summary.handoffs.total *= times;
const jobs = events.filter((event) => event.event === "job_done").slice(-Number(broken) - 1, -1);
summary.violations = jobs.slice(0, Number(broken)).map((event) => ({ t_ns: Math.min(event.t_ns, t_ns) + later, kind: "failed",
  what: `${event.job} on ${event.system} for ${event.client ?? "nobody"}, made up for a test of the report, failed` }));
summary.counts.violations = summary.violations.length;
summary.finished = true;
if (summary.violations.length > 0) summary.shrunk = plan.faults.slice(0, 2);
fs.writeFileSync(path.join(out, "plan.json"), JSON.stringify(plan));
fs.writeFileSync(path.join(out, "summary.json"), JSON.stringify(summary));
