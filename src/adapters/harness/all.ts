import type { HarnessConfig } from "../../ports/harness-config.ts";
import { claudeCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { cursor } from "./cursor.ts";
import { env } from "./env.ts";
import { geminiCli } from "./gemini-cli.ts";
import { opencode } from "./opencode.ts";

/** What can be connected, as it is listed. */
export const harnesses: readonly HarnessConfig[] = [
	claudeCode,
	codex,
	geminiCli,
	opencode,
	cursor,
	env,
];
