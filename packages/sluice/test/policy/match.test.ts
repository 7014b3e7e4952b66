import { describe, expect, it } from "vitest";
import type { McpCall } from "../../src/policy/call.ts";
import { type Match, matching } from "../../src/policy/match.ts";

const tool = (name: unknown): McpCall => ({ method: "tools/call", params: { name } });
const read = (uri: string): McpCall => ({ method: "resources/read", params: { uri } });
const prompt = (name: string): McpCall => ({ method: "prompts/get", params: { name } });
const plain = (method: string): McpCall => ({ method, params: {} });

describe("a policy is about", () => {
  it.each<[string, Match | undefined, McpCall, boolean]>([
    ["all requests, if it says nothing", undefined, tool("x"), true],
    ["all requests, if it says nothing", {}, plain("completion/complete"), true],
    ["no lists, unless it names them", {}, plain("tools/list"), false],
    ["no lists, unless it names them", { method: "tools/*" }, plain("tools/list"), false],
    ["a list that it names", { method: ["tools/list", "x/*"] }, plain("tools/list"), true],
    ["connecting, if it names it", { method: "initialize" }, plain("initialize"), true],
    ["tools by name", { tool: "search" }, tool("search"), true],
    ["tools by pattern", { tool: "files_*" }, tool("files_read"), true],
    ["no other tools", { tool: "files_*" }, tool("search"), false],
    ["no prompts of that name", { tool: "*" }, prompt("search"), false],
    ["no call of a tool without a name", { tool: "*" }, tool(7), false],
    ["resources by URI", { resource: "file:///tmp/*" }, read("file:///tmp/a"), true],
    ["no other resources", { resource: "file:///tmp/*" }, read("file:///etc/a"), false],
    ["prompts by name", { prompt: ["a", "b"] }, prompt("b"), true],
    ["all tools but some", { tool: "*", not: { tool: ["poll", "status_*"] } }, tool("status_all"), false],
    ["all tools but some", { tool: "*", not: { tool: ["poll", "status_*"] } }, tool("search"), true],
    ["what matches in all ways", { method: "tools/call", tool: "a" }, tool("a"), true],
    ["nothing, if its ways exclude each other", { method: "prompts/get", tool: "a" }, tool("a"), false],
  ])("%s: %j", (_what, match, call, expected) => {
    expect(matching(match)(call)).toBe(expected);
  });

  it.each([
    [{ tools: "a" }, 'match has no field "tools": it knows method, tool, resource, prompt, path, not.'],
    [{ not: { tol: "a" } }, 'match.not has no field "tol"'],
    [{ tool: 7 }, "match.tool is a text"],
    ["search", 'match is an object such as { tool: "search" }, but it is "search"'],
    [{ method: "ping" }, '"ping" must never be refused'],
    [{ method: "notifications/cancelled" }, "must never be refused"],
  ])("nothing that cannot be: %j", (match, message) => {
    expect(() => matching(match as Match)).toThrow(message);
  });
});
