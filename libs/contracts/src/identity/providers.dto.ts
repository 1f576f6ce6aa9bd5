import { Instant, Integer, Items, Text } from '../core/fields.js';

/** Where else users can prove who they are: Google, GitHub, or any OpenID provider of the configuration. */
export class SignInProvider {
  @Text({ max: 32, example: 'google', description: 'Its part of the addresses below.' })
  id: string;

  @Text({ max: 64, example: 'Google', description: 'For the button.' })
  name: string;
}

export class SignInProviders {
  @Items(() => SignInProvider)
  items: SignInProvider[];
}

/** A visit to a provider that has begun. */
export class ProviderVisit {
  @Text({ max: 4096, description: 'Where to send the browser. Works once.' })
  authorization_url: string;

  @Integer({ example: 600, description: 'Seconds until it is too late to come back.' })
  expires_in: number;
}

/** What the provider's redirect has in its address. */
export class ProviderReturn {
  @Text({ max: 2048 })
  code: string;

  @Text({ max: 128 })
  state: string;

  @Text({
    max: 512,
    optional: true,
    description: 'RFC 9207; required where the provider sends it.',
  })
  iss?: string;
}

/** A provider's account that signs in to the own one. */
export class LinkedProvider extends SignInProvider {
  @Instant()
  linked_at: string;
}

export class LinkedProviders {
  @Items(() => LinkedProvider)
  items: LinkedProvider[];
}
