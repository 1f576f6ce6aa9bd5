import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type { Device, SignedIn } from './identity.dto.js';
import type {
  LinkedProviders,
  ProviderReturn,
  ProviderVisit,
  SignInProviders,
} from './providers.dto.js';

/** A visit, and the secret by which the browser that began it is recognised; the gateway keeps that in a cookie. */
export type StartedVisit = ProviderVisit & { browser_token: string };

/** What comes back from a provider, and from which browser; without a token it is none that began a visit. */
export type Returned = ProviderReturn & {
  provider: string;
  browser_token: string | null;
  device: Device;
};

export const Providers = {
  list: request.public<Record<string, never>, SignInProviders>('identity.providers.list'),
  start: request.public<{ provider: string; device: Device }, StartedVisit>(
    'identity.providers.start',
  ),
  signIn: request.public<Returned, SignedIn>('identity.providers.sign_in'),
  linked: request.user<Record<string, never>, LinkedProviders>('identity.providers.linked'),
  startLink: request.user<{ provider: string; device: Device }, StartedVisit>(
    'identity.providers.start_link',
  ),
  link: request.user<Returned, void>('identity.providers.link'),
  unlink: request.user<{ provider: string; device: Device }, void>('identity.providers.unlink'),
};

/** Signing in with an account at a provider has become possible, or is no longer. */
export interface ProviderLinkFact {
  user_id: number;
  /** For readers: “Google”. */
  provider_name: string;
}

export const userProviderLinked = event<ProviderLinkFact>('identity.user.provider_linked');
export const userProviderUnlinked = event<ProviderLinkFact>('identity.user.provider_unlinked');
