import { expect, it } from "vitest";
import { harnessConfigContract } from "../../ports/harness-config.contract.ts";
import type { HarnessPlace } from "../../ports/harness-config.ts";
import { spoken } from "../wire/all.ts";
import { harnesses } from "./all.ts";
import { claudeCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { cursor } from "./cursor.ts";
import { env } from "./env.ts";
import { geminiCli } from "./gemini-cli.ts";
import { opencode } from "./opencode.ts";

for (const harness of harnesses)
	harnessConfigContract(harness.id, () => harness);

const link = { url: "http://127.0.0.1:4141", key: "dos_sk_x", models: [] };
const place = (more: Partial<HarnessPlace> = {}): HarnessPlace => ({
	user: "/users/ada",
	environment: {},
	exists: () => false,
	...more,
});
const settingsOf = (plan: ReturnType<typeof codex.plan>) =>
	plan.ok
		? plan.value.files.map(({ path, settings }) => [
				path,
				Object.fromEntries(
					settings.map((one) => [one.path.join("."), one.value]),
				),
			])
		: plan.error;

it("speaks protocols that are served, under names of their own", () => {
	const protocols = spoken.map(({ wire }) => wire.id);
	for (const { protocol } of harnesses) expect(protocols).toContain(protocol);
	expect(new Set(harnesses.map(({ id }) => id)).size).toBe(harnesses.length);
});

it("Claude Code: the root address, a bearer token, and no second key beside it", () => {
	expect(settingsOf(claudeCode.plan(place(), link))).toEqual([
		[
			"/users/ada/.claude/settings.json",
			{
				"env.ANTHROPIC_BASE_URL": "http://127.0.0.1:4141",
				"env.ANTHROPIC_AUTH_TOKEN": "dos_sk_x",
				"env.ANTHROPIC_API_KEY": "",
			},
		],
	]);
	expect(
		settingsOf(
			claudeCode.plan(place({ environment: { CLAUDE_CONFIG_DIR: "/c" } }), {
				...link,
				model: "fast",
			}),
		),
	).toMatchObject([
		[
			"/c/settings.json",
			{
				"env.ANTHROPIC_MODEL": "fast",
				"env.ANTHROPIC_DEFAULT_HAIKU_MODEL": "fast",
			},
		],
	]);
	expect(
		settingsOf(claudeCode.plan(place({ project: "/work" }), link)),
	).toMatchObject([["/work/.claude/settings.local.json", {}]]);
});

it("Codex: a provider of its own in the person's file, never in a project's", () => {
	expect(
		settingsOf(
			codex.plan(place({ environment: { CODEX_HOME: "/cx" } }), {
				...link,
				model: "fast",
			}),
		),
	).toEqual([
		[
			"/cx/config.toml",
			{
				model: "fast",
				model_provider: "dos",
				"model_providers.dos.name": "DuranteOS",
				"model_providers.dos.base_url": "http://127.0.0.1:4141/v1",
				"model_providers.dos.wire_api": "responses",
				"model_providers.dos.experimental_bearer_token": "dos_sk_x",
			},
		],
	]);
	expect(codex.plan(place({ project: "/work" }), link)).toMatchObject({
		error: { code: "harness/no-project" },
	});
});

it("Gemini CLI: its .env, and signing in by key", () => {
	expect(
		settingsOf(
			geminiCli.plan(place({ project: "/work" }), { ...link, model: "fast" }),
		),
	).toEqual([
		[
			"/work/.gemini/.env",
			{
				GOOGLE_GEMINI_BASE_URL: "http://127.0.0.1:4141",
				GEMINI_API_KEY: "dos_sk_x",
				GEMINI_MODEL: "fast",
			},
		],
		[
			"/work/.gemini/settings.json",
			{ "security.auth.selectedType": "gemini-api-key" },
		],
	]);
});

it("opencode: the file that is there, with the models it shall list", () => {
	const plan = opencode.plan(
		place({ exists: (path) => path.endsWith(".jsonc") }),
		{ ...link, model: "a/b", models: ["fast", "a/b"] },
	);
	expect(settingsOf(plan)).toMatchObject([
		[
			"/users/ada/.config/opencode/opencode.jsonc",
			{
				"provider.dos.options.baseURL": "http://127.0.0.1:4141/v1",
				"provider.dos.models.a/b.name": "a/b",
				"provider.dos.models.fast.name": "fast",
				model: "dos/a/b",
			},
		],
	]);
	expect(
		settingsOf(opencode.plan(place({ project: "/work" }), link)),
	).toMatchObject([["/work/opencode.json", {}]]);
});

it.each([
	["http://127.0.0.1:4141", false],
	["https://127.0.0.1:4141", false],
	["https://192.168.1.4", false],
	["https://172.20.0.1", false],
	["https://box.local", false],
	["https://box", false],
	["http://dos.example.com", false],
	["https://dos.example.com", true],
	["https://172.1.2.3", true],
])(
	"Cursor: steps by hand; %s is reached from its servers: %s",
	(url, reached) => {
		const plan = cursor.plan(place(), { ...link, url, model: "fast" });
		const text = plan.ok ? plan.value.steps.join("\n") : "";
		expect(text.includes("public https address")).toBe(!reached);
		expect(plan.ok && plan.value.blocked === undefined).toBe(reached);
		expect(text.includes(`${url}/v1`)).toBe(reached);
		expect(text).toContain("dos_sk_x");
	},
);

it("the environment: a shell's, or a project's .env", () => {
	const shell = env.plan(place(), link);
	expect(shell.ok && shell.value.shell).toMatchObject({
		OPENAI_BASE_URL: "http://127.0.0.1:4141/v1",
		ANTHROPIC_BASE_URL: "http://127.0.0.1:4141",
	});
	expect(settingsOf(env.plan(place({ project: "/work" }), link))).toMatchObject(
		[["/work/.env", { OPENAI_API_KEY: "dos_sk_x" }]],
	);
});
