/** Injects the app's configuration: `@Inject(CONFIG) private readonly config: IdentityConfig`. */
export const CONFIG = Symbol('CONFIG');
