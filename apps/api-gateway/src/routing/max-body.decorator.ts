import { configureRoute } from './configure-route.js';

/** The route takes larger bodies than `MAX_BODY_BYTES`. Fields are counted all the same. */
export const MaxBody = (bytes: number): MethodDecorator => configureRoute({ maxBodyBytes: bytes });
