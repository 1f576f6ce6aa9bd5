import { webcrypto } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { removeAfterwards } from '@mentorhub/local-system';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** Paths of the PEM files of an authority and of a server that it vouches for. */
export interface TestCertificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Removes the files. */
  remove(): Promise<void>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 24 * 60 * 60 * 1000;

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
}

/** A new authority, and a certificate of it for both ends of connections with these host names. */
export async function testCertificates(names: readonly string[]): Promise<TestCertificates> {
  const authorityKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const authority = await X509CertificateGenerator.createSelfSigned(
    {
      ...validity(),
      name: 'CN=MentorHub test authority',
      keys: authorityKeys,
      signingAlgorithm: algorithm,
      extensions: [new BasicConstraintsExtension(true, 0, true)],
    },
    webcrypto,
  );
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create(
    {
      ...validity(),
      subject: 'CN=MentorHub test server',
      issuer: authority.subject,
      publicKey: keys.publicKey,
      signingKey: authorityKeys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ],
    },
    webcrypto,
  );
  return await write(authority, certificate, keys.privateKey);
}

async function write(
  authority: X509Certificate,
  certificate: X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<TestCertificates> {
  const directory = await mkdtemp(join(tmpdir(), 'mentorhub-test-tls-'));
  removeAfterwards(directory);
  const files = {
    caFile: join(directory, 'ca.crt'),
    certFile: join(directory, 'tls.crt'),
    keyFile: join(directory, 'tls.key'),
  };
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey)).toString('base64');
  await Promise.all([
    writeFile(files.caFile, authority.toString('pem')),
    writeFile(files.certFile, certificate.toString('pem')),
    writeFile(
      files.keyFile,
      `-----BEGIN PRIVATE KEY-----\n${key.replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`,
      { mode: 0o600 },
    ),
  ]);
  return { ...files, remove: () => rm(directory, { recursive: true, force: true }) };
}
