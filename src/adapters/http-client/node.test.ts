import { httpClientContract } from "../../ports/http-client.contract.ts";
import { nodeHttpClient } from "./node.ts";

httpClientContract("node", (options) => nodeHttpClient(options));
