import { parentPort } from "node:worker_threads";
import { help, type Job } from "./batch.ts";

/** A thread that helps with batches until its program ends. */
parentPort?.on("message", (job: Job) => help(job));
