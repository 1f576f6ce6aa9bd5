import {
  type Caller,
  type ConfirmTotp,
  type Device,
  type DisableTotp,
  type SecondFactorProof,
  SecondFactors,
  type SecondStepPasskey,
  type VerifySecondFactor,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SignIns } from '../auth/sign-ins.js';
import { SecondFactorService } from './second-factor.service.js';
import { SecondStep } from './second-step.js';

@Controller()
export class SecondFactorController {
  constructor(
    private readonly factors: SecondFactorService,
    private readonly secondStep: SecondStep,
    private readonly signIns: SignIns,
  ) {}

  @Handle(SecondFactors.status)
  status(actor: Caller) {
    return this.factors.status(actor);
  }

  @Handle(SecondFactors.enrolTotp)
  enrolTotp(actor: Caller, request: { device: Device }) {
    return this.factors.enrolTotp(actor, request);
  }

  @Handle(SecondFactors.confirmTotp)
  confirmTotp(actor: Caller, request: ConfirmTotp & { device: Device }) {
    return this.factors.confirmTotp(actor, request);
  }

  @Handle(SecondFactors.disableTotp)
  disableTotp(actor: Caller, request: DisableTotp & { device: Device }) {
    return this.factors.disableTotp(actor, request);
  }

  @Handle(SecondFactors.replaceRecoveryCodes)
  replaceRecoveryCodes(actor: Caller, request: SecondFactorProof & { device: Device }) {
    return this.factors.replaceRecoveryCodes(actor, request);
  }

  @Handle(SecondFactors.verify)
  async verify(_: Caller | undefined, request: VerifySecondFactor & { device: Device }) {
    return this.signIns.answer(await this.secondStep.verify(request));
  }

  @Handle(SecondFactors.passkeyOptions)
  passkeyOptions(_: Caller | undefined, { challenge }: SecondStepPasskey) {
    return this.secondStep.passkeyOptions(challenge);
  }
}
