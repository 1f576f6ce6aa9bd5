import { ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { IdentityConfig } from '../config.js';
import { GitHubProvider } from './github-provider.js';
import type { IdentityProvider } from './identity-provider.js';
import { OpenIdProvider } from './openid-provider.js';

/** The providers of the configuration. */
@Injectable()
export class IdentityProviders {
  readonly all: readonly IdentityProvider[];

  constructor(@Inject(CONFIG) config: IdentityConfig) {
    this.all = config.PROVIDERS.map((settings) =>
      settings.kind === 'github' ? new GitHubProvider(settings) : new OpenIdProvider(settings),
    );
  }

  /** @throws ApplicationError NOT_FOUND */
  find(id: string): IdentityProvider {
    const provider = this.all.find((one) => one.id === id);
    if (!provider) throw ApplicationError.notFound('The provider');
    return provider;
  }
}
