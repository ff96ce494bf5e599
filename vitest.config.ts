import { defineConfig, type ViteUserConfig } from "vitest/config";

/**
 * Each runtime has an HTTP edge of its own, which the other cannot run. The benchmark beside peers is a program of Node
 * alone; on Bun, beside other tests, its stand-in for a gateway was seen to wait for an answer until its time was up.
 */
const otherRuntime = process.versions.bun
	? ["src/adapters/http-*/node*.test.ts", "benchmarks/peers/**"]
	: ["src/adapters/http-*/bun*.test.ts"];

/**
 * Every file runs in a process of its own: tests open servers, files and child processes, and none
 * may see another's. `core` is what every runtime must pass; `whole` starts the real program.
 */
const config: ViteUserConfig = defineConfig({
	test: {
		pool: "forks",
		// One more than the cores of a small machine: much of what is tested waits for other processes.
		maxWorkers: 3,
		testTimeout: 20_000,
		hookTimeout: 20_000,
		reporters: ["default"],
		// Google's older package, which LangChain stands on, splits a stream in two: where it breaks off, the half
		// that nobody reads rejects unheard. The half that is read is what the test looks at.
		onUnhandledError: ({ message }) =>
			message !== "[GoogleGenerativeAI Error]: Failed to parse stream",
		projects: [
			{
				extends: true,
				test: {
					name: "core",
					include: ["{src,benchmarks}/**/*.test.ts"],
					exclude: otherRuntime,
				},
			},
			{
				extends: true,
				test: {
					name: "architecture",
					include: ["test/architecture.test.ts"],
				},
			},
			{
				extends: true,
				test: {
					name: "whole",
					include: ["test/**/*.test.ts"],
					exclude: ["test/architecture.test.ts"],
				},
			},
		],
	},
});

export default config;
