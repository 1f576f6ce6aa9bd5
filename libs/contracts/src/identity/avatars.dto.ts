import { WebAddress } from '../core/fields.js';

/** Where the picture that was uploaded is served. */
export class UploadedAvatar {
  @WebAddress()
  avatar_url: string;
}
