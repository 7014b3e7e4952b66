import { Registry } from "prom-client";
import { createLimiter } from "sluice";
import { createMetrics, type MetricsOptions } from "sluice/prometheus";
import { describe, expect, it } from "vitest";
import { type SceneOptions, scene } from "../scene.ts";

function watched(options: SceneOptions, more: Partial<MetricsOptions> = {}) {
  const registry = new Registry();
  const metrics = createMetrics({ registry, ...more });
  const made = scene({ ...options, ...metrics.listeners });
  /** The samples of a metric: the labels that are there, as text, and the value. */
  const samples = async (name: string) => {
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith(`sluice_${name}`));
    return Object.fromEntries(
      lines.map((line) => {
        const at = line.lastIndexOf(" ");
        const labels = line
          .slice(0, at)
          .replace(`sluice_${name}`, "")
          .replaceAll(/\w+="",?/g, "");
        return [labels.replace(",}", "}"), Number(line.slice(at))];
      }),
    );
  };
  return { ...made, metrics, registry, samples };
}

describe("decisions", () => {
  it("are counted by what was decided, and by the policy that did", async () => {
    const { call, samples } = watched({
      tools: { search: "2/h", build: { concurrency: 1 } },
      policies: [{ name: "trial", match: { tool: "search" }, quota: "1/h", mode: "shadow" }],
      tier: () => "pro",
    });
    for (let i = 0; i < 3; i++) await call("search");
    await call("build");
    await call("build");
    const search = 'tool="search",method="tools/call",tier="pro"}';
    const build = 'tool="build",method="tools/call",tier="pro"}';
    expect(await samples("decisions_total")).toEqual({
      [`{decision="allow",kind="rate",policy="tools.search",${search}`]: 2,
      [`{decision="deny",kind="rate",policy="tools.search",${search}`]: 1,
      [`{decision="shadow_allow",kind="rate",policy="trial",${search}`]: 1,
      [`{decision="shadow_deny",kind="rate",policy="trial",${search}`]: 1,
      [`{decision="allow",kind="concurrency",policy="tools.build",${build}`]: 1,
      [`{decision="deny",kind="concurrency",policy="tools.build",${build}`]: 1,
    });
  });

  it("tell what waited, what a loop was and what was blocked", async () => {
    const { clock, call, samples } = watched({ tools: { search: "1/s" }, wait: true, loops: true });
    for (let i = 0; i < 4; i++) {
      const ending = call("search");
      await clock.advance(1_000);
      (await ending)?.();
    }
    const ending = call("search");
    await clock.advance(0);
    (await ending)?.();
    const late = call("search");
    await clock.advance(1_000);
    await late;
    const found = Object.entries(await samples("decisions_total")).map(([labels, count]) => [
      ...[/decision="(\w+)"/, /kind="(\w+)"/, /policy="([\w.]+)"/].map((one) => one.exec(labels)![1]),
      count,
    ]);
    expect(found).toContainEqual(["deny", "loop", "loop", 1]);
    expect(found).toContainEqual(["wait", "rate", "tools.search", 1]);
  });

  it("have the part of the limit that is used, and never a client", async () => {
    const { call, samples, registry } = watched({ tools: { search: "4/h" } });
    for (let i = 0; i < 5; i++) await call("search", { client: "alice@example.com" });
    const labels = 'policy="tools.search",mode="enforce"';
    const used = await samples("utilization_ratio_bucket");
    expect(used).toEqual(
      Object.fromEntries(
        [
          ["0.25", 1],
          ["0.5", 2],
          ["0.75", 3],
          ["0.9", 3],
          ["1", 5],
          ["+Inf", 5],
        ].map(([le, count]) => [`{${labels},le="${le}"}`, count]),
      ),
    );
    expect(await samples("utilization_ratio_sum")).toEqual({ [`{${labels}}`]: 0.25 + 0.5 + 0.75 + 1 + 1 });
    expect(await registry.metrics()).not.toContain("alice");
  });

  it("of limiters and HTTP guards are counted under a name", async () => {
    const { metrics, samples } = watched({ perClient: "1/h" });
    const limiter = createLimiter({ quota: ["2/h", "1/s"], onDecision: metrics.decisionsOf("api") });
    limiter.consume("me");
    limiter.consume("me");
    limiter.block("me", 7_200_000);
    limiter.consume("me");
    expect(await samples("decisions_total")).toEqual({
      '{decision="allow",kind="rate",policy="api"}': 1,
      '{decision="deny",kind="rate",policy="api"}': 1,
      '{decision="deny",kind="block",policy="api"}': 1,
    });
  });
});

describe("labels", () => {
  it("are bounded: a client can make up tools and methods as it likes", async () => {
    const { call, samples } = watched({ perClient: "1000000/h" }, { tools: ["a", "b", "c"], maxTools: 2 });
    for (const tool of ["a", "b", "c"]) await call(tool);
    for (let i = 0; i < 300; i++) await call(`made-up-${i}`);
    for (let i = 0; i < 300; i++) await call("a", { method: `made/up/${i}` });
    const tools = Object.entries(await samples("decisions_total")).map(([labels, count]) => [
      /tool="([\w-]+)"/.exec(labels)?.[1],
      /method="([\w/]+)"/.exec(labels)?.[1],
      count,
    ]);
    expect(tools).toEqual([
      ["a", "tools/call", 1],
      ["b", "tools/call", 1],
      ["other", "tools/call", 301],
      [undefined, "other", 300],
    ]);
  });

  it("name without a list the tools that have limits of their own", async () => {
    const { call, samples } = watched({ tools: { search: "9/h", "*": "9/h" } });
    await call("search");
    await call("others");
    const tools = Object.keys(await samples("decisions_total")).map((labels) => /tool="([\w-]+)"/.exec(labels)![1]);
    expect(tools).toEqual(["search", "other"]);
  });

  it("follow a list that grows", async () => {
    const tools = new Set<string>();
    const { call, samples } = watched({ perClient: "9/h" }, { tools: (name) => tools.has(name) });
    await call("late");
    tools.add("late");
    await call("late");
    const found = Object.keys(await samples("decisions_total")).map((labels) => /tool="([\w-]+)"/.exec(labels)![1]);
    expect(found).toEqual(["other", "late"]);
  });

  it("are bounded for tiers, too", async () => {
    let tier = 0;
    const { call, samples } = watched({ perClient: "1000000/h", tier: () => `tier-${tier++}` });
    for (let i = 0; i < 99; i++) await call("t");
    expect(Object.keys(await samples("decisions_total"))).toHaveLength(51);
  });
});

describe("calls", () => {
  it("that wait and that run are counted while they do", async () => {
    const { clock, call, samples } = watched({ tools: { search: "1/5s" }, wait: true });
    const first = (await call("search"))!;
    const second = call("search");
    await clock.advance(0);
    const line = '{policy="tools.search",reason="limit"}';
    expect(await samples("queue_depth")).toEqual({ [line]: 1 });
    expect(await samples("inflight_calls")).toEqual({ '{tool="search",method="tools/call"}': 1 });
    first();
    await clock.advance(5_000);
    (await second)!({ isError: true, content: [] });
    expect(await samples("queue_depth")).toEqual({ [line]: 0 });
    expect(await samples("inflight_calls")).toEqual({ '{tool="search",method="tools/call"}': 0 });
    expect(await samples("wait_seconds_sum")).toEqual({
      '{policy="tools.search",reason="limit",outcome="admitted"}': 5,
    });
    const done = 'tool="search",method="tools/call",outcome=';
    expect(await samples("call_duration_seconds_sum")).toEqual({
      [`{${done}"result"}`]: 0,
      [`{${done}"tool_error"}`]: 5,
    });
  });

  it("are not looked at without `results`", async () => {
    const { gate, call, samples } = watched({ perClient: "9/h" }, { results: false });
    expect(gate.watches).toBe("nothing");
    await call("t");
    expect(await samples("decisions_total")).not.toEqual({});
    expect(await samples("inflight_calls")).toEqual({});
  });
});

describe("a gate", () => {
  it("says which limits there are, and how far they are lowered", async () => {
    const { gate, metrics, samples } = watched({
      tools: { search: ["9/h", { concurrency: 2 }] },
      policies: [{ name: "trial", quota: "7/h", mode: "shadow" }],
    });
    metrics.observeLimits(() => gate.limits);
    metrics.listeners.onAdapt!({ policy: "slow", level: 0.5 });
    metrics.listeners.onAdapt!({ policy: "slow", level: 0.25 });
    expect(await samples("limit")).toEqual({
      '{policy="tools.search",quota="tools.search.per-hour",mode="enforce"}': 9,
      '{policy="tools.search.2",quota="tools.search.2.concurrency",mode="enforce"}': 2,
      '{policy="trial",quota="trial.per-hour",mode="shadow"}': 7,
    });
    expect(await samples("adaptive_level_ratio")).toEqual({ '{policy="slow"}': 0.25 });
  });

  it("that is degraded says so", async () => {
    const { call, samples } = watched({
      perClient: "9/h",
      over: (store) => ({
        ...store,
        take: (demands, options) =>
          (store.take(demands, options) as readonly object[]).map((one) => ({ ...one, degraded: true })) as never,
      }),
    });
    await call("t");
    expect(await samples("degraded_decisions_total")).toEqual({ '{decision="allow"}': 1 });
  });
});
