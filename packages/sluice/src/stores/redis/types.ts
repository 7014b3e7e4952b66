/** A client of `ioredis` or `iovalkey`, as far as the store needs it: `Redis`, with Sentinels too, or `Cluster`. */
export interface IoredisClient {
  evalsha(sha: string, keys: number, ...keysAndArguments: any[]): Promise<unknown>;
  eval(script: string, keys: number, ...keysAndArguments: any[]): Promise<unknown>;
  readonly options?: any;
  readonly isCluster?: boolean;
}

/** A client of `redis` (node-redis), as far as the store needs it: of `createClient`, `createCluster` or `createSentinel`. */
export interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<any>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<any>;
}

export type RedisClient = IoredisClient | NodeRedisClient;
